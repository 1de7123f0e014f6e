"""Carrying conversations between clients and daemons: one loop, one thread, any number of them.

Responsible for knowing when something can be moved, and for handing on what passed as records,
after it has passed. How bytes are moved is in `lanes`. Must not know what packets mean, who prints
the records, or how a client was led here.
"""

from __future__ import annotations

import json
import os
from _socket import AF_UNIX, IPPROTO_TCP, SO_SNDBUF, SOL_SOCKET, TCP_NODELAY
from _thread import RLock
from collections import deque
from contextlib import suppress
from heapq import heappop, heappush
from select import EPOLLIN, EPOLLOUT, epoll
from time import monotonic, monotonic_ns, time

from virtproto.trace.recording import BEGIN, END, FROM_CLIENT, NOTE, pack_head, pack_record

from .cutting import Cutter
from .lanes import BUFFER_SIZE, Conversation
from .looking_again import LookingAgain
from .outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

    from virtproto.transport.road import Road

__all__ = ["Carriage"]

# How long records may lie here while nothing else happens, and while something does: whoever prints
# them needs the processor, and while messages go to and fro those do who wait for them.
_FLUSH_S = 0.005
_LATEST_NS = 200_000_000
# What an end that is slow to take its bytes may take at most when the loop is to stop.
_DRAIN_S = 1.0
# Asked for where bytes wait in the kernel for a unix socket's reader.
_SEND_ROOM = 1 << 20


class Carriage:
    """One loop that carries conversations, and lets others in.

    All methods are for the thread of `run`, callbacks included, but for `from_thread`. Exceptions
    of callbacks leave `run`; `close` is to be called afterwards, whatever happened.
    """

    def __init__(
        self,
        report: int | None,
        *,
        payloads: bool = False,
        when_ended: Callable[[int], object] | None = None,
    ) -> None:
        """Make a loop that writes a recording to ``report``, its head first.

        ``report`` is the writing end of a pipe, which is the carriage's from now on, made
        non-blocking and closed by `close`; None where nobody wants to know. While its reader lags
        behind by more than 32 MiB everything waits for him; once he has gone, it goes on untold.
        ``payloads`` has the payloads of streams' data kept in the records, which costs speed.
        ``when_ended`` is called with the number of each conversation that has ended.
        """
        self._outbox = Outbox(report)
        self._report = report
        self._payloads = payloads
        self._when_ended = when_ended
        self._epoll = epoll()
        self._handlers: dict[int, Callable[[int], object]] = {}
        self._conversations: dict[int, Conversation] = {}
        # Those that have ended, and of which it is being asked why.
        self._asked: dict[int, Conversation] = {}
        self._count = 0
        self._view = memoryview(bytearray(BUFFER_SIZE))
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._timer_count = 0
        self._called: deque[Callable[[], object]] = deque()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # A signal's handler may ring while this thread does.
        self._bell_lock = RLock()
        self.watch(self._bell, self._answer_bell)
        # When to stop at the latest; None to go on.
        self._stop_by: float | None = None
        self._looking = LookingAgain()
        # When records that were told are to be written at the latest; 0 where there were none.
        self._flush_by_ns = 0
        self._started_ns = monotonic_ns()
        if report is not None:
            started_s = round(time(), 6)
            self._outbox.put(
                pack_head({"started_s": started_s, "by": "virtproto", "masked": False})
            )
            self._handlers[report] = self._report_ready

    @property
    def conversations(self) -> int:
        """How many conversations go on."""
        return len(self._conversations) + len(self._asked)

    @property
    def is_heard(self) -> bool:
        """Whether somebody still reads the records, as far as is known."""
        return self._outbox.fd is not None

    def add(self, client: socket, road: Road, about: dict[str, object]) -> int:
        """Begin a conversation between ``client`` and the far end of ``road``; return its number.

        Numbers count from 1. Both are the carriage's from now on, and closed when they end.
        ``about`` is what is known of the two, for the record of the beginning; it must be fit for
        JSON. The road's own name and kind are ``daemon`` and ``by`` where it does not tell others.
        """
        name, by = road.name, road.by
        if by == name:
            # Of a program that leads there: "ssh to host".
            name, by = road.host, by.removesuffix(f" to {road.host}")
        number = self._begin({"daemon": name, "by": by, **about})
        for sock in (client, road.sock):
            sock.setblocking(False)
            _make_room(sock)
        conversation = self._conversations[number] = Conversation(
            number,
            client,
            road,
            view=self._view,
            now_us=self._now_us,
            watch=self._epoll.modify,
            tell_end=self._tell_end,
            complain=self._complain,
            finish=self._finish,
            cutter=self._cutter,
        )
        for port in (conversation.client, conversation.daemon):
            self._handlers[port.fd] = port.ready
            self._epoll.register(port.fd, 0)
        conversation.begin()
        return number

    def fail(self, about: dict[str, object], why: str) -> int:
        """Tell of a conversation that could not begin, as its beginning and its end; its number."""
        number = self._begin(about)
        self.note(why, number)
        self._record(END, FROM_CLIENT, number, b"")
        self._record(END, 0, number, b"")
        return number

    def note(self, text: str, conversation: int = 0) -> None:
        """Tell whoever reads the records something, about one conversation or (0) about all."""
        self._record(NOTE, 0, conversation, text.encode("utf-8", "backslashreplace"))

    def watch(self, fd: int, callback: Callable[[], object], events: int = EPOLLIN) -> None:
        """Have ``callback()`` called whenever ``fd`` is ready (level-triggered) for ``events``."""
        self._epoll.register(fd, events)
        self._handlers[fd] = lambda _events: callback()

    def unwatch(self, fd: int) -> None:
        """End `watch`, before ``fd`` is closed; nothing happens where it is not watched."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, delay_s: float, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once, in the loop, after so many seconds."""
        self._timer_count += 1
        heappush(self._timers, (monotonic() + delay_s, self._timer_count, callback))

    def from_thread(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once, soon, in the loop; may be called on any thread.

        It is dropped where the carriage is closed by then.
        """
        self._called.append(callback)
        self._ring()

    def run(self) -> None:
        """Carry until `stop`; may be called again."""
        self._stop_by = None
        handlers = self._handlers
        while True:
            ready = self._wait()
            for fd, events in ready:
                handler = handlers.get(fd)
                if handler is not None:
                    handler(events)
            if self._timers:
                self._ring_timers()
            if self._outbox.has_fresh:
                self._flush_in_time()
            if self._stop_by is not None and self._may_stop(ready):
                return

    def stop(self, *, drain: bool = True) -> None:
        """Have `run` return, with ``drain`` not before all that came was passed on.

        What has come from either end by now is still delivered, if the other end takes it within
        a second.
        """
        by = monotonic() + (_DRAIN_S if drain else -1.0)
        # Said again, it does not begin anew.
        self._stop_by = by if self._stop_by is None else min(by, self._stop_by)
        # Where it was a signal's handler that said so, the loop may be asleep.
        self._ring()

    def close(self) -> None:
        """End all conversations, write what is not reported yet, and close everything.

        Waits for the reader of the report as long as he reads on.
        """
        self._when_ended = None
        try:
            for conversation in list(self._conversations.values()):
                conversation.end("what carried it has ended")
            for conversation in list(self._asked.values()):
                self._forget(conversation)
        finally:
            self._called.clear()
            self._handlers.clear()
            with self._bell_lock:
                bell, self._bell = self._bell, -1
                if bell >= 0:
                    os.close(bell)
            self._epoll.close()
            self._outbox.close()

    # The loop.

    def _wait(self) -> list[tuple[int, int]]:
        """Return what is ready, as soon as anything is or something else is to be done."""
        ready = self._looking.wait(self._epoll.poll, self._patience_s)
        if not ready and self._outbox.has_fresh:
            self._flush()
        return ready

    def _patience_s(self) -> float:
        """Return how long nothing needs to be done, -1 for ever."""
        patience_s = _FLUSH_S if self._outbox.has_fresh else -1.0
        if self._stop_by is not None:
            return 0.01 if any(each.has_backlog for each in self._conversations.values()) else 0.0
        if self._timers:
            left_s = max(0.0, self._timers[0][0] - monotonic())
            patience_s = left_s if patience_s < 0 else min(left_s, patience_s)
        return patience_s

    def _may_stop(self, ready: list[tuple[int, int]]) -> bool:
        assert self._stop_by is not None
        if monotonic() >= self._stop_by:
            return True
        carried = {each.client.fd for each in self._conversations.values()}
        carried.update(each.daemon.fd for each in self._conversations.values())
        if any(fd in carried for fd, _events in ready):
            return False
        return not any(each.has_backlog for each in self._conversations.values())

    def _ring_timers(self) -> None:
        now = monotonic()
        while self._timers and self._timers[0][0] <= now:
            heappop(self._timers)[2]()

    def _ring(self) -> None:
        with self._bell_lock:
            # Closed, nobody wants to know any more.
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def _answer_bell(self) -> None:
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return
        while self._called:
            self._called.popleft()()

    # Records.

    def _now_us(self) -> int:
        return (monotonic_ns() - self._started_ns) // 1000

    def _record(self, kind: int, flags: int, conversation: int, body: bytes) -> None:
        self._tell(pack_record(kind, flags, conversation, self._now_us(), body))

    def _tell(self, record: bytes) -> None:
        outbox = self._outbox
        if outbox.fd is not None:
            outbox.put(record)
            if outbox.is_stuck:
                self._watch_report()

    def _flush_in_time(self) -> None:
        """Write what has been lying here for long, though other things happen."""
        now = monotonic_ns()
        if not self._flush_by_ns:
            self._flush_by_ns = now + _LATEST_NS
        elif now > self._flush_by_ns:
            self._flush()

    def _flush(self) -> None:
        self._flush_by_ns = 0
        self._outbox.flush()
        if self._outbox.is_stuck:
            self._watch_report()

    def _watch_report(self) -> None:
        """Be told when the pipe has room."""
        fd = self._outbox.fd
        if fd is not None and fd in self._handlers:
            try:
                self._epoll.register(fd, EPOLLOUT)
            except FileExistsError:
                return

    def _report_ready(self, _events: int) -> None:
        fd = self._outbox.fd
        self._outbox.flush()
        if fd is not None and self._outbox.fd == fd and not self._outbox.is_stuck:
            self._epoll.unregister(fd)

    def _cutter(self, number: int, from_client: bool) -> Cutter:
        return Cutter(number, from_client=from_client, tell=self._tell, payloads=self._payloads)

    # Beginnings and ends.

    def _begin(self, about: dict[str, object]) -> int:
        self._count += 1
        text = json.dumps(about, separators=(",", ":")).encode()
        self._record(BEGIN, 0, self._count, text)
        return self._count

    def _tell_end(self, conversation: Conversation, from_client: bool, why: str) -> None:
        flags = FROM_CLIENT if from_client else 0
        self._record(END, flags, conversation.number, why.encode("utf-8", "backslashreplace"))

    def _complain(self, conversation: Conversation, why: str) -> None:
        self.note(why, conversation.number)

    def _finish(self, conversation: Conversation) -> None:
        del self._conversations[conversation.number]
        for port in (conversation.client, conversation.daemon):
            del self._handlers[port.fd]
            self._epoll.unregister(port.fd)
            port.sock.close()
        self._asked[conversation.number] = conversation
        if conversation.left_by_daemon and conversation.road.carrier is not None:
            self._hear(conversation)
        else:
            self._forget(conversation)

    def _hear(self, conversation: Conversation) -> None:
        """Ask what carried the road for its last words, for which one may have to wait."""
        from virtproto.transport.elsewhere import Outcome, do_elsewhere

        def heard(outcome: Outcome) -> None:
            self.from_thread(lambda: self._tell_words(conversation))

        do_elsewhere(conversation.road.hear, ("",), heard)

    def _tell_words(self, conversation: Conversation) -> None:
        said = conversation.road.said
        if conversation.number in self._asked:
            if said:
                self.note(f"{conversation.road.by} said: {said}", conversation.number)
            self._forget(conversation)

    def _forget(self, conversation: Conversation) -> None:
        del self._asked[conversation.number]
        conversation.road.leave()
        if self._when_ended is not None:
            self._when_ended(conversation.number)


def _make_room(sock: socket) -> None:
    """Have more bytes wait in the kernel than it lets by itself; no delay where there is one."""
    # What is refused works as it is.
    with suppress(OSError):
        if sock.family != AF_UNIX:
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        elif sock.getsockopt(SOL_SOCKET, SO_SNDBUF) < _SEND_ROOM:
            sock.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_ROOM)
