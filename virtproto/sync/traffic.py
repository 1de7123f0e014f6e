"""What threads wait for that is not the reply to a call: the data of streams, and events.

Responsible for waiting without keeping others from their calls, and for the traffic of one stream.
A friend of `channel`: it uses the channel's inside. Must not know what streams are for; what a user
does with one is in `stream`.

A thread that waits watches the socket without the channel's lock, takes in what comes for everybody
(under the lock, in no time), and looks whether its own is among it. A thread whose own was taken in
by another, a call's for instance, is woken through a pipe.
"""

from __future__ import annotations

import os
from _socket import MSG_DONTWAIT, MSG_NOSIGNAL
from _thread import allocate_lock
from select import POLLIN, POLLOUT, poll
from time import monotonic

from virtproto.errors import TransportError, VirtprotoError
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_HERE,
    close_reason,
    closed_during,
    late,
    lost,
    refused,
    repeated,
    why_broken,
)
from virtproto.model.stream_inbox import StreamInbox
from virtproto.protocol.events import SessionFailed, StreamFailed, StreamFinished

from .descriptors import send_carriers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from virtproto.protocol.client import ClientSession
    from virtproto.protocol.events import CallFailed, Event, ReplyReceived
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

    # What a stream gives when it is looped over.
    Chunks: TypeAlias = Iterator[bytes]

__all__ = ["Pulse", "StreamEnd", "Waker", "announce_end", "heed", "run_handler", "watch"]


# poll(2) counts milliseconds in 31 bits.
_LONGEST_SLEEP_S = 86400.0


class Waker:
    """What one thread sleeps on: the channel's socket, and a pipe by which others wake it."""

    def __init__(self, sock: socket) -> None:
        self._ends: tuple[int, ...] = ()
        try:
            self._ends = self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise TransportError(f"nothing to be woken by: {error.strerror}") from error
        # True while the thread is kept from reading by one that makes a call.
        self.starved = False
        # True while the thread sleeps, or is about to.
        self.asleep = False
        self._alone, self._with_socket = poll(), poll()
        for each in (self._alone, self._with_socket):
            each.register(self._out, POLLIN)
        self._with_socket.register(sock, POLLIN)

    def __del__(self) -> None:
        for each in self._ends:
            os.close(each)

    def wake(self) -> None:
        """Wake the thread, or keep it from falling asleep the next time."""
        try:  # noqa: SIM105 - contextlib takes long to import
            os.write(self._in, b"\0")
        except BlockingIOError:
            # It has been woken often enough.
            pass

    def sleep(self, timeout_s: float | None, *, alone: bool = False) -> bool:
        """Sleep until woken, until the socket can be read unless ``alone``, or time is up.

        Returns whether the socket can be read.
        """
        which = self._alone if alone else self._with_socket
        ready = which.poll(_milliseconds(timeout_s))
        if not any(fd == self._out for fd, _ in ready):
            return bool(ready)
        os.read(self._out, 4096)
        return len(ready) > 1


def _milliseconds(timeout_s: float | None) -> float | None:
    """Return how long ``poll`` may take; its number is small, and who waits looks again anyway."""
    return None if timeout_s is None else min(max(0, timeout_s), _LONGEST_SLEEP_S) * 1000 + 1


def watch(
    channel: Channel, waker: Waker, ready: Callable[[], bool], timeout_s: float | None
) -> None:
    """Read for everybody until ``ready()``, the waker is woken, or time is up; look again then.

    Raises ConnectionClosedError once the channel is closed. The waker must be one of the
    channel's ``_wakers``.
    """
    if channel._closed is not None:
        raise refused(channel._closed)
    waker.asleep = True
    try:
        if ready() or not waker.sleep(timeout_s):
            return
    finally:
        waker.asleep = False
    if not channel._lock.acquire(blocking=False):
        # Who holds it reads. He wakes the starved when he is done.
        waker.starved = waker.asleep = True
        try:
            if ready():
                return
            if not channel._lock.acquire(blocking=False):
                waker.sleep(timeout_s, alone=True)
                return
        finally:
            waker.starved = waker.asleep = False
    try:
        if channel._closed is None:
            take_in(channel)
            push(channel, wait=False)
    except VirtprotoError:
        # The connection is lost, and everybody was told.
        pass
    finally:
        channel._lock.release()
        channel._let_go()


def take_in(channel: Channel) -> None:
    """Read what is there and hand it out. The caller holds the lock.

    Raises what the channel was lost for; streams and the listener know of it then.
    """
    if not channel._settled:
        channel._require_open()
    try:
        if not channel._inbox:
            size = channel._read_size()
            channel._inbox.extend(map(channel._sock.recv, (size,), (MSG_DONTWAIT,)))
    except BlockingIOError:
        return
    except OSError as error:
        channel._lose(why_broken(error))
        raise lost(None, why_broken(error)) from error
    channel._digest(None, -1)


def push(channel: Channel, *, wait: bool = True, deadline: float | None = None) -> None:
    """Send what is queued, and read meanwhile: else both ends might wait for the other to read.

    The caller holds the lock. With ``wait`` off what the socket does not take is left for later;
    so is what it has not taken at ``deadline``, for which BlockingIOError is raised. Keeps the time
    of keepalive, which nobody else can meanwhile.
    """
    ready: poll | None = None
    while channel._sending is not None:
        data, counts = channel._sending
        rest = memoryview(data)[sum(counts) :]
        try:
            if len(rest):
                counts.extend(map(channel._sock.send, (rest,), (MSG_NOSIGNAL | MSG_DONTWAIT,)))
            if sum(counts) == len(data):
                if channel._carriers is not None:
                    send_carriers(channel, None)
                channel._sending = None
        except BlockingIOError:
            if not wait:
                return
            if ready is None:
                ready = poll()
                ready.register(channel._sock, POLLIN | POLLOUT)
            _wait_for_room(channel, ready, deadline)
        except OSError as error:
            raise channel._broken(None, error) from error


def _wait_for_room(channel: Channel, ready: poll, deadline: float | None) -> None:
    """Wait until the socket takes more, or there was something else to do."""
    left = None if deadline is None else deadline - monotonic()
    if left is not None and left <= 0:
        raise BlockingIOError
    due = None if channel._pulse is None else channel._pulse.left_s()
    if due is not None:
        left = due if left is None else min(left, due)
    if any(what & ~POLLOUT for _, what in ready.poll(_milliseconds(left))):
        take_in(channel)
    elif due is not None and channel._pulse is not None and (channel._pulse.left_s() or 0) <= 0:
        channel._pulse.beat()


def announce_end(channel: Channel, why: str, error: VirtprotoError | None) -> None:
    """Tell everybody but callers that the connection has ended."""
    streams = list(channel._streams.values())
    channel._streams.clear()
    for stream in streams:
        stream.lose(why, error)
    listener, channel._listener = channel._listener, None
    if listener is not None:
        listener.lose(close_reason(why, error))
    for waker in tuple(channel._wakers):
        waker.wake()


def run_handler(handler: Callable[..., Any], *args: object) -> Any:
    """Call a function of the user's and return its result."""
    return handler(*args)


def heed(
    channel: Channel,
    queue: Callable[[ClientSession], None],
    timeout_s: float | None = None,
    *,
    behind: bool = False,
) -> None:
    """Have the core queue something outside of any call, and send it.

    Raises what ``queue`` does, ConnectionLostError and ConnectionClosedError; BlockingIOError when
    the daemon does not take it within ``timeout_s``. What is queued by then leaves later; with
    ``behind`` it is queued even behind what has not left yet.
    """
    deadline = None if timeout_s is None else monotonic() + timeout_s
    if channel._closed is not None:
        channel._require_open()
    try:
        with channel._lock:
            channel._require_open()
            if not behind:
                push(channel, deadline=deadline)
            # Torn from the middle of it the core would send half a packet.
            channel._settled = False
            try:
                queue(channel._session)
                channel._queue()
            except VirtprotoError:
                channel._settled = True
                raise
            channel._settled = True
            push(channel, deadline=deadline)
    finally:
        channel._let_go()


class Pulse:
    """Keepalive of one channel: asks a silent daemon for a sign of life, and gives it up at last.

    The thread that reads keeps the time: the one of the callbacks, or one that waits for a reply.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def left_s(self) -> float | None:
        """Return the seconds until `beat` has something to do, None for never."""
        due = self._channel._session.next_deadline()
        return None if due is None else due - monotonic()

    def beat(self) -> None:
        """Do what is due. The caller holds the lock. Raises what the channel was lost for."""
        channel = self._channel
        channel._session.tick(monotonic())
        for event in channel._session.events_received():
            if isinstance(event, SessionFailed):
                channel._lose(f"it failed: {event.error}", event.error)
                raise event.error
        channel._queue()
        push(channel, wait=False)

    def beat_between_calls(self) -> bool:
        """Do what is due unless a call is being made, which does it; return whether it was done."""
        channel = self._channel
        if not channel._lock.acquire(blocking=False):
            return False
        try:
            if channel._closed is None:
                # What waits unread is a sign of life too.
                take_in(channel)
                self.beat()
        except VirtprotoError:
            # The connection is lost, and everybody was told.
            pass
        finally:
            channel._lock.release()
            channel._let_go()
        return True

    def keeping_time(
        self, receive: Callable[[], None], deadline: float | None
    ) -> Callable[[], None]:
        """Return what receives as ``receive`` does, and does meanwhile what is due."""

        def receive_in_time() -> None:
            channel = self._channel
            while True:
                left = self.left_s()
                if left is not None and left <= 0:
                    self.beat()
                    left = self.left_s()
                if deadline is not None:
                    rest = deadline - monotonic()
                    left = rest if left is None else min(left, rest)
                channel._limit(left)
                try:
                    return receive()
                except BlockingIOError:
                    if deadline is not None and monotonic() >= deadline:
                        raise

        return receive_in_time


class StreamEnd:
    """The traffic of one stream: what came and is unread, and the ways to send and to wait."""

    def __init__(self, procedure: Procedure[Any, Any], *, sparse: bool) -> None:
        self.procedure = procedure
        self.inbox = StreamInbox(procedure, sparse=sparse)
        # Called after something came, by whatever thread read it; must only take note.
        self.notify: Callable[[], None] | None = None
        self._channel: Channel | None = None
        # How long the daemon may take no more, and what is said then.
        self._timeout_s: float | None = None
        self._serial = -1
        # Guards the inbox. Taken within the channel's lock, never around it.
        self._lock = allocate_lock()
        self._waiting: list[Waker] = []
        self._spare: list[Waker] = []

    # For the channel, under its lock.

    def join(self, channel: Channel, timeout_s: float | None) -> None:
        """Become a stream of ``channel`` with the call that is made next.

        ``timeout_s`` bounds that call, and later on how long the stream waits with something to
        send for the daemon to take it.
        """
        self._channel = channel
        self._timeout_s = timeout_s

    def send_call(self, procedure: Procedure[Any, Any], args: bytes) -> int:
        """Have the core queue the call that opens the stream; data may overtake its reply."""
        channel = self._opened()
        self._serial = serial = channel._session.send_call(
            procedure.program, procedure.version, procedure.number, args, opens_stream=True
        )
        channel._streams[serial] = self
        return serial

    def receive(self) -> None:
        """Wait until something is in the channel's inbox."""
        self._opened()._receive()

    def answered(self, reply: ReplyReceived | CallFailed) -> None:
        """Take note of the reply; there is no stream if it is an error."""

    def deliver(self, event: Event) -> None:
        """Take note of what came, and wake who waits for it."""
        with self._lock:
            self.inbox.put(event)
        if isinstance(event, StreamFinished | StreamFailed):
            self.forget()
        self._rouse()

    def lose(self, why: str, error: VirtprotoError | None) -> None:
        """Take note of the connection's end."""
        if error is not None:
            self.tear(repeated(error))
        elif why is CLOSED_HERE:
            self.tear(closed_during(self.procedure))
        else:
            self.tear(lost(self.procedure, why))

    def tear(self, error: VirtprotoError) -> None:
        """Fail for a reason of this side's."""
        with self._lock:
            self.inbox.fail(error)
        self._rouse()

    def forget(self) -> None:
        """Have nothing more of the stream delivered."""
        self._opened()._streams.pop(self._serial, None)

    def disown(self) -> None:
        """Have nothing more of the stream delivered: nobody has it any more."""
        self.forget()

    # For the stream's user.

    def read(self, nbytes: int, *, stop_at_hole: bool) -> bytes | None:
        """Return what the inbox gives; see StreamInbox.read."""
        with self._lock:
            was_crowded = self.inbox.crowded
            data = self.inbox.read(nbytes, stop_at_hole=stop_at_hole)
        if was_crowded and not self.inbox.crowded:
            for waker in tuple(self._opened()._wakers):
                waker.wake()
        return data

    def take_hole(self) -> int:
        """Pass the hole that stands first and return its length, 0 where there is none."""
        with self._lock:
            self.inbox.check()
            return self.inbox.take_hole()

    def wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait until ``ready()``. Raises DeadlineError, ConnectionClosedError."""
        channel = self._opened()
        if channel._closed is not None and not ready():
            raise refused(channel._closed)
        deadline = None if timeout_s is None else monotonic() + timeout_s
        waker = self._spare.pop() if self._spare else Waker(channel._sock)
        channel._wakers.append(waker)
        self._waiting.append(waker)
        try:
            while not ready():
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    raise late(self.procedure, timeout_s)
                watch(channel, waker, ready, left)
        finally:
            self._waiting.remove(waker)
            channel._wakers.remove(waker)
            self._spare.append(waker)

    def send_data(self, data: bytes) -> None:
        """Send data, at most what one packet takes; waits while the daemon takes no more."""
        self._send(lambda session: session.send_stream_data(self._serial, data))

    def send_hole(self, length: int, flags: int) -> None:
        """Send a hole."""
        self._send(lambda session: session.send_stream_hole(self._serial, length, flags))

    def send_finish(self) -> None:
        """Say that all is sent."""
        self._send(lambda session: session.send_stream_finish(self._serial))

    def send_abort(self) -> None:
        """Say that nothing more is wanted; what the daemon does not take soon leaves later."""
        limit_s = CLOSE_TIMEOUT_S if self._timeout_s is None else self._timeout_s
        self._send_abort(min(limit_s, CLOSE_TIMEOUT_S))

    def _send_abort(self, timeout_s: float) -> None:
        channel = self._opened()
        try:  # noqa: SIM105 - contextlib takes long to import
            heed(channel, lambda core: core.send_stream_abort(self._serial), timeout_s, behind=True)
        except BlockingIOError:
            pass

    def _send(self, queue: Callable[[ClientSession], None]) -> None:
        """Have something sent. Raises DeadlineError; how much has left nobody knows then."""

        def unless_failed(session: ClientSession) -> None:
            # The daemon answers nothing on a stream that failed.
            self.inbox.check()
            queue(session)

        try:
            heed(self._opened(), unless_failed, self._timeout_s)
        except BlockingIOError:
            error = late(self.procedure, self._timeout_s)
            self.tear(error)
            self._drop()
            raise error from None

    def _drop(self) -> None:
        """Have the daemon told, when it listens again, that nothing more comes."""
        try:  # noqa: SIM105 - contextlib takes long to import
            self._send_abort(0)
        except VirtprotoError:
            # The end was said already, or the connection is lost.
            pass

    def _rouse(self) -> None:
        for waker in tuple(self._waiting):
            if waker.asleep:
                waker.wake()
        if self.notify is not None:
            self.notify()

    def _opened(self) -> Channel:
        assert self._channel is not None
        return self._channel
