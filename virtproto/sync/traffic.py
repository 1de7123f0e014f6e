"""The data of streams: what came and is unread, and the ways to send and to wait.

Responsible for the traffic of one stream, and for running functions of the user's on its data. A
friend of `channel`: it uses the channel's inside. Must not know what streams are for; what a user
does with one is in `stream`.

A thread that waits for data does it as one that waits for a reply does (see `waiting`).
"""

from __future__ import annotations

from _thread import allocate_lock

from virtproto.errors import ConnectionClosedError, VirtprotoError
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_HERE,
    closed_during,
    late,
    lost,
    repeated,
    torn,
    unsent,
)
from virtproto.model.stream_inbox import CROWDED, StreamInbox
from virtproto.protocol.events import StreamFailed, StreamFinished
from virtproto.transport.deadline import time_left
from virtproto.transport.room import LARGE, keep_memory, widen

from .packets import Memory
from .sending import heed
from .waiting import Waiter, Waker, wait_until, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from virtproto.protocol.client import ClientSession
    from virtproto.protocol.events import CallFailed, Event, ReplyReceived
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel
    from .packets import Payload

    # What a stream gives when it is looped over.
    Chunks: TypeAlias = Iterator[bytes]

__all__ = ["StreamEnd", "Waker", "heed", "run_handler", "watch"]

# What nothing more comes after.
_ENDS = (StreamFinished, StreamFailed)


def run_handler(handler: Callable[..., Any], *args: object) -> Any:
    """Call a function of the user's and return its result."""
    return handler(*args)


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
        self._waiting: list[Waiter] = []
        # Whether the socket holds as much as suits large packets.
        self._widened = False

    # For the channel, under its lock.

    def join(self, channel: Channel, timeout_s: float | None) -> None:
        """Become a stream of ``channel`` with the call that is made next.

        ``timeout_s`` bounds that call, and later on how long the stream waits with something to
        send for the daemon to take it.
        """
        self._channel = channel
        keep_memory()
        self._timeout_s = timeout_s

    def send_call(self, procedure: Procedure[Any, Any], args: bytes) -> int:
        """Have the core queue the call that opens the stream; data may overtake its reply."""
        channel = self._opened()
        self._serial = serial = channel._session.send_call(
            procedure.program,
            procedure.version,
            procedure.number,
            args,
            opens_stream=True,
            long=procedure.long,
            urgent=procedure.urgent,
        )
        channel._streams[serial] = self
        return serial

    def answered(self, reply: ReplyReceived | CallFailed) -> None:
        """Take note of the reply; there is no stream if it is an error."""

    def deliver(self, event: Event) -> None:
        """Take note of what came, and wake who waits for it."""
        with self._lock:
            self.inbox.put(event)
        # Before the other: torn in between, who waits was told.
        self._rouse()
        if isinstance(event, _ENDS):
            self.forget()

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

    def mend(self, missed: ReplyReceived | None) -> None:
        """Take note that a signal came while something was taken in, which may be lost.

        ``missed`` is the reply to the call that opened the stream, if it was among that.
        """
        self.tear(torn(None))

    def forget(self) -> None:
        """Have nothing more of the stream delivered."""
        self._opened()._streams.pop(self._serial, None)

    def disown(self) -> None:
        """Have nothing more of the stream delivered: nobody has it any more."""
        self.forget()

    # For the stream's user.

    def read(self, nbytes: int, *, stop_at_hole: bool) -> bytes | None:
        """Return what the inbox gives; see StreamInbox.read."""
        inbox = self.inbox
        with self._lock:
            was_crowded = inbox.size > CROWDED
            data = inbox.read(nbytes, stop_at_hole=stop_at_hole)
        if was_crowded and inbox.size <= CROWDED:
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
        waiter = Waiter()
        self._waiting.append(waiter)
        try:
            wait_until(self._opened(), waiter, ready, timeout_s, self.procedure)
        finally:
            self._waiting.remove(waiter)

    def send_data(self, data: bytes | memoryview) -> None:
        """Send data, at most what one packet takes; waits while the daemon takes no more."""
        if len(data) < LARGE:
            small = bytes(data)
            self._send(lambda session: session.send_stream_data(self._serial, small))
            return
        payload = Memory(memoryview(data))
        try:
            self.send_large(payload)
        except BaseException:
            payload.keep()
            raise

    def send_large(self, payload: Payload) -> None:
        """Send data that is not copied, no less than LARGE; waits as `send_data` does."""
        if not self._widened:
            self._widened = True
            widen(self._opened()._sock)
        # The core looks at its length only.
        data: Any = payload
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

        limit_s = time_left(self._timeout_s)
        channel = self._opened()
        try:
            heed(channel, unless_failed, limit_s)
        except ConnectionClosedError:
            # Of a connection that ends just now streams are told a moment later, under the lock.
            with channel._lock:
                self.inbox.check()
            raise
        except BlockingIOError:
            over = limit_s is not None and limit_s <= 0
            error = unsent(self.procedure, limit_s) if over else late(self.procedure, limit_s)
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
        for waiter in tuple(self._waiting):
            waiter.tell_news()
        if self.notify is not None:
            self.notify()

    def _opened(self) -> Channel:
        assert self._channel is not None
        return self._channel
