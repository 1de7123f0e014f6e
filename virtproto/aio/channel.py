"""One connection to a daemon for asyncio: one protocol object, a future per call.

Responsible for moving bytes between an event loop and the protocol core, for deadlines, and for
staying usable after a cancelled call. Knows procedures by number only; what their payloads hold is
the caller's business.

What a call beside the plain ones needs (descriptors, streams) is in `descriptors` and `traffic`,
loaded when first used: they are this module's friends and use its inside. What arrives is given to
streams and to the listener from within the reader: they keep it and wake somebody, nothing more.

Nothing is read while a stream has more unread data than it should and nobody waits for a reply or
for a stream. Events wait as well then, until that stream's reader has caught up or a call is made:
what comes behind what nobody takes cannot be had without keeping all of it. The daemon, which then
hears nothing of its pings, is told from time to time that somebody lives.

Nothing is sent while the transport has more to write than it should: who makes a call then waits
for room before it is made, so that however many are given up, none of them is kept.
"""

from __future__ import annotations

import asyncio
import sys
import warnings

from virtproto.errors import VirtprotoError
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_BY_DAEMON,
    CLOSED_HERE,
    INHERITED,
    payload_of,
    refused,
    unclosed,
    why_broken,
)
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    CallFailed,
    EventReceived,
    FdsUnclaimed,
    PeerClosed,
    ReplyReceived,
    SessionFailed,
)
from virtproto.transport.deadline import time_left
from virtproto.transport.inheritance import remember
from virtproto.transport.room import joined

from .connecting import attach, connect
from .ending import end, free, hear, misplaced
from .shared_memory import BUFFER_SIZE, shared_in
from .timekeeper import Deadlines, Pulse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self, TypeAlias

    from virtproto.model.endpoint import Endpoint
    from virtproto.protocol.events import Event
    from virtproto.transport.road import Layer, Road
    from virtproto.xdr.procedure import Procedure

    from .delivery import Delivery
    from .descriptors import Passage
    from .large_packets import LargePackets
    from .traffic import StreamEnd

    Answer = ReplyReceived | CallFailed
    # A call's procedure, when it has waited long enough, and how many seconds that is.
    Waiting: TypeAlias = tuple[
        asyncio.Future[Answer], Procedure[Any, Any], float | None, float | None
    ]
    # What a call does that is not one plain question and one plain answer.
    Special: TypeAlias = Passage | StreamEnd

__all__ = ["Channel"]

# None where no loop runs, and cheap.
_running_loop = asyncio._get_running_loop

# Arguments from this size on are written at once: what waits for the end of a turn is not bounded.
_WRITE_AT_ONCE = 16384
# How many of those who wait for room go on at a time.
_LET_GO = 16


class Channel(asyncio.BufferedProtocol):
    """A connected socket and the state of the conversation on it.

    It belongs to the event loop that connected it, and is of no use elsewhere or after its end.
    """

    # The loop reads all the time, so the daemon's pings are always answered.
    answers_pings = True

    def __init__(self, loop: asyncio.AbstractEventLoop, road: Road) -> None:
        self._loop = loop
        self._road = road
        # The transport's as well. Here for when there is no loop to ask the transport.
        self._sock = road.sock
        self._session = ClientSession(fd_passing=road.carries_descriptors)
        self._transport: asyncio.Transport | None = None
        self._gone = loop.create_future()
        # Why no call can be made any more, None while calls can be made.
        self._closed: str | None = None
        # Whether it has ended, and what its carrier says to that is being waited for.
        self._hearing = False
        self._waiting: dict[int, Waiting] = {}
        self._flush_due = False
        self._streams: dict[int, StreamEnd] = {}
        self._listener: Delivery | None = None
        # The call that sends or brings descriptors, and how many were announced up to now.
        self._passage: Passage | None = None
        self._fds_announced = 0
        # Set while the transport takes no more, and who waits for that to end.
        self._full = False
        self._senders: list[asyncio.Future[None]] = []
        # How many wait for something of a stream; reading pauses, crowded, only while none does.
        self._readers = 0
        self._crowded = False
        self._signs: asyncio.TimerHandle | None = None
        self._deadlines = Deadlines(self)
        self._pulse: Pulse | None = None
        self._when_lost: Callable[[str, VirtprotoError | None, int], object] | None = None
        self._shared, self._timers_context = shared_in(loop)
        # What is read to instead while large packets come.
        self._large: LargePackets | None = None
        remember(self)

    @classmethod
    async def connect(cls, endpoint: Endpoint, timeout_s: float | None) -> Self:
        """Return a channel to ``endpoint``. Raises as ``connecting.connect`` does."""
        return await cls.over(await connect(endpoint, timeout_s))

    @classmethod
    async def over(cls, road: Road) -> Self:
        """Return a channel over a connected road, which is the channel's to end."""
        try:
            channel = cls(asyncio.get_running_loop(), road)
            await attach(channel)
        except BaseException:
            road.leave()
            raise
        return channel

    @property
    def is_open(self) -> bool:
        """Whether calls can be made, as far as is known without asking the daemon."""
        return self._closed is None and not self._hearing and not self._loop.is_closed()

    @property
    def long_calls(self) -> int | None:
        """How many long calls the daemon is given at a time, None for any number; may be set."""
        return self._session.long_calls

    @long_calls.setter
    def long_calls(self, limit: int | None) -> None:
        self._session.long_calls = limit
        if self._closed is None:
            self._flush()

    def add_layer(self, layer: Layer) -> None:
        """Have all that travels from now on pass through a SASL security layer.

        To be called when the last reply of the exchange was read, before anything else is sent.
        Raises ConnectionClosedError, ProtocolError.
        """
        from .layered_transport import put_between

        self._require_usable()
        self._session.require_whole()
        self._road.add_layer(layer)
        put_between(self)

    async def keep_alive(self, interval_s: float, count: int) -> None:
        """Ask a daemon that was silent for ``interval_s`` for a sign of life, in the loop.

        After ``count`` questions and one more interval without any the connection is lost. An
        interval of 0 or less ends that. Raises UsageError, ConnectionClosedError.
        """
        self._require_usable()
        pulse = Pulse(self, interval_s, count)
        if self._pulse is not None:
            self._pulse.stop()
        self._pulse = pulse if interval_s > 0 else None

    def when_lost(self, function: Callable[[str, VirtprotoError | None, int], object]) -> None:
        """Have ``function(why, error, reason)`` called once, if the connection ends by itself.

        It does not for a ``close`` or ``abandon`` on this side. Calls, streams and the listener
        were told before; it must only take note. ``reason`` is a number of virConnectCloseReason.
        """
        self._when_lost = function

    async def call(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        timeout_s: float | None = None,
        special: Special | None = None,
    ) -> bytes:
        """Make one call and return the payload of its reply.

        ``timeout_s`` bounds sending and waiting, as blocks of ``deadline`` do. ``special`` is for
        `call_with_fds` and `call_opening_stream`. Raises LibvirtError for the daemon's refusal,
        DeadlineError (the channel stays usable, a late reply is dropped), ConnectionLostError,
        ConnectionClosedError, ProtocolError, and UsageError outside the channel's event loop.
        Cancelling gives the call up: the daemon goes on with it, and its reply is dropped.
        """
        if self._closed is not None or _running_loop() is not self._loop:
            self._require_usable()
        timeout_s = time_left(timeout_s)
        if self._full or (timeout_s is not None and timeout_s <= 0):
            timeout_s = await self._room(procedure, timeout_s)
        session = self._session
        if special is None:
            program, version, number = procedure.program, procedure.version, procedure.number
            long, urgent = procedure.long, procedure.urgent
            serial = session.send_call(program, version, number, args, long=long, urgent=urgent)
        else:
            serial = special.send_call(procedure, args)
        waiting = self._waiting
        if not waiting or len(args) >= _WRITE_AT_ONCE:
            self._flush()
        elif not self._flush_due:
            # Many calls at once leave in one write, at the end of this turn of the loop.
            self._flush_due = True
            self._loop.call_soon(self._flush)
        future: asyncio.Future[Answer] = self._loop.create_future()
        until = None if timeout_s is None else self._deadlines.end_of(timeout_s)
        waiting[serial] = (future, procedure, until, timeout_s)
        if self._crowded:
            self._read_on()
        try:
            return payload_of(procedure, await future)
        finally:
            if waiting.pop(serial, None) is not None:
                session.abandon_call(serial)

    async def call_with_fds(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        fds: Sequence[int],
        timeout_s: float | None = None,
    ) -> tuple[bytes, list[int]]:
        """Make one call that sends or brings descriptors; return the payload and what came.

        ``fds`` are open descriptors and stay the caller's. Those returned are the caller's to
        close, and close-on-exec. One such call is made at a time, others wait for their turn.
        Raises as ``call`` does, UsageError where this connection cannot carry descriptors, and
        SequenceError where not those come that the reply announces.
        """
        from .descriptors import Passage

        self._require_usable()
        async with Passage(self, procedure, fds, time_left(timeout_s)) as passage:
            payload = await self.call(procedure, args, passage.time_left, passage)
            return payload, passage.claim()

    async def call_opening_stream(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        stream: StreamEnd,
        timeout_s: float | None = None,
    ) -> bytes:
        """Make the call that opens ``stream`` and return the payload of its reply.

        Raises as ``call`` does; there is no stream then.
        """
        stream.join(self)
        try:
            return await self.call(procedure, args, timeout_s, stream)
        except BaseException:
            stream.forget()
            raise

    def listen(self, listener: Delivery | None) -> None:
        """Have ``listener`` told of events and of the connection's end; None ends that."""
        self._listener = listener

    async def close(self, goodbye: Procedure[Any, Any] | None = None) -> None:
        """Close the connection; does nothing if it is closed already.

        ``goodbye`` is a procedure to call first, for at most CLOSE_TIMEOUT_S. Calls that wait for
        their reply fail with ConnectionClosedError. Raises UsageError in another event loop than
        the channel's, unless that has ended: then there is no loop left to do it properly.
        """
        if _running_loop() is not self._loop:
            if self._closed is None:
                if not self._loop.is_closed():
                    raise misplaced(self)
                self._free()
            return
        if self._closed is INHERITED:
            # A forked process that goes on with its parent's loop.
            return
        try:
            if goodbye is not None and self._closed is None:
                await self.call(goodbye, b"", CLOSE_TIMEOUT_S)
        except VirtprotoError:
            # The daemon is gone or busy; it will notice the closed socket.
            pass
        finally:
            self._end(CLOSED_HERE, None)
        # Shielded: who is cancelled waiting for it does not cancel it for the others.
        await asyncio.shield(self._gone)

    def abandon(self) -> None:
        """Close the socket of a connection that nobody has any more, and warn; silent if closed.

        Silent too where the event loop has ended. May be called on any thread.
        """
        if self._closed is not None or sys.is_finalizing():
            return
        try:
            self._loop.call_soon_threadsafe(self._end, CLOSED_HERE, None)
        except RuntimeError:
            # The loop has ended.
            self._free()
        else:
            warnings.warn(unclosed(self._road.name), ResourceWarning, stacklevel=3, source=self)

    def leave_to_parent(self) -> None:
        """In a forked process: make no more calls, and close this process's descriptor.

        Nothing else: what is said or shut down on the connection would be so for the parent, and
        the loop's selector is one for both processes.
        """
        if self._closed is None:
            self._closed = INHERITED
            self._sock.close()
            if self._passage is not None:
                self._passage.leave_to_parent()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._shared if self._large is None else self._large.room()

    def buffer_updated(self, nbytes: int, data: bytes | None = None) -> None:
        """Take in what was read: to the memory, or, by a layer, ``data`` as it is."""
        session = self._session
        now = None if self._pulse is None else self._loop.time()
        if self._large is None:
            if data is None:
                data = self._shared[:nbytes].tobytes()
            waiting = self._waiting
            if len(waiting) == 1:
                # One question, one answer: the core has a short way for that.
                (serial,) = waiting
                reply = session.receive_reply(serial, data, now)
                if reply is not None:
                    future = waiting.pop(serial)[0]
                    if not future.done():
                        future.set_result(reply)
                    return
            else:
                session.receive_data(data, now)
        elif not self._large.take(nbytes, session, now):
            return
        elif self._large.is_empty and not self._streams:
            self._large = None
        if self._large is None and session.bytes_wanted > BUFFER_SIZE:
            from .large_packets import LargePackets

            self._large = LargePackets()
        self._dispatch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._large is not None:
            self._large.give_up(self._session)
        self._session.receive_eof()
        if isinstance(exc, OSError):
            self._end(why_broken(exc), None)
        self._dispatch()
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        # Nothing is written while descriptors are being sent.
        if self._passage is None or not self._passage.is_sending:
            self._full = False
            self._release_senders()

    # Inside.

    def _dispatch(self) -> None:
        session = self._session
        for event in session.events_received():
            if type(event) is EventReceived:
                # First, as they come by the thousand.
                listener = self._listener
                if listener is not None:
                    listener.deliver(event)
                    if listener.crowded:
                        self._pause_reading()
            elif isinstance(event, ReplyReceived):
                if event.nfds:
                    self._count_fds(event)
                self._answer(event)
            elif isinstance(event, CallFailed):
                self._answer(event)
            elif isinstance(event, SessionFailed):
                self._end(f"it failed: {event.error}", event.error)
            elif isinstance(event, PeerClosed):
                self._end(CLOSED_BY_DAEMON, None, event.bytes_held)
            else:
                self._deliver(event)
        self._flush()

    def _deliver(self, event: Event) -> None:
        """Hand on what no call waits for, and is no event."""
        if isinstance(event, FdsUnclaimed):
            self._fds_announced += event.nfds
        else:
            stream = self._streams.get(event.serial)  # type: ignore[attr-defined]
            if stream is not None:
                stream.deliver(event)
                if stream.inbox.crowded:
                    self._pause_reading()

    def _count_fds(self, reply: ReplyReceived) -> None:
        """Tell the call that brings descriptors which of those that came are its own."""
        if self._passage is not None:
            self._passage.announce(reply, self._fds_announced)
        self._fds_announced += reply.nfds

    def _pause_reading(self) -> None:
        """Read no more, while nobody waits for a reply or a stream."""
        if not (self._waiting or self._readers or self._crowded):
            from .traffic import read_no_more

            read_no_more(self)

    def _read_on(self) -> None:
        """Read again although a stream is crowded."""
        from .traffic import read_on

        read_on(self)

    async def _room(self, procedure: Procedure[Any, Any], timeout_s: float | None) -> float | None:
        """Wait until a call may be made, and return the time that is left for it."""
        from .traffic import room_for_call

        return await room_for_call(self, procedure, timeout_s)

    def _release_senders(self) -> None:
        """Let some go on of those who wait for room, and others in the loop's next turn."""
        for sender in self._senders[:_LET_GO]:
            if not sender.done():
                sender.set_result(None)
        del self._senders[:_LET_GO]
        if self._senders and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _answer(self, reply: Answer) -> None:
        entry = self._waiting.pop(reply.serial, None)
        if entry is not None and not entry[0].done():
            entry[0].set_result(reply)

    def _flush(self) -> None:
        """Write what the core wants sent."""
        self._flush_due = False
        if self._passage is not None:
            self._passage.flush()
        else:
            chunks = self._session.data_to_send()
            if chunks and self._transport is not None:
                for chunk in joined(chunks):
                    self._transport.write(chunk)
        if self._senders and not self._full:
            self._release_senders()

    def _end(self, why: str, error: VirtprotoError | None, bytes_held: int = 0) -> None:
        if self._closed is None and not (
            self._road.carrier is not None and hear(self, why, error, bytes_held)
        ):
            end(self, why, error, bytes_held)

    def _require_usable(self) -> None:
        if self._closed is not None:
            raise refused(self._closed)
        if _running_loop() is not self._loop:
            raise misplaced(self)

    def _free(self) -> None:
        free(self)
