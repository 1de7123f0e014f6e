"""What tasks wait for that is not the reply to a call: the data of streams.

Responsible for the traffic of one stream: keeping what comes, waking who waits, and not sending
more than the transport takes. A friend of `channel`: it uses the channel's inside. Must not know
what streams are for; what a user does with one is in `stream`.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from inspect import isawaitable

from virtproto.model.replies import (
    CLOSED_HERE,
    close_reason,
    closed_during,
    late,
    lost,
    repeated,
    unsent,
)
from virtproto.model.stream_inbox import StreamInbox
from virtproto.protocol.events import StreamFailed, StreamFinished
from virtproto.protocol.keepalive import PONG_PACKET
from virtproto.transport.deadline import time_left
from virtproto.transport.room import LARGE, keep_memory, widen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any, TypeAlias

    from virtproto.errors import VirtprotoError
    from virtproto.protocol.client import ClientSession
    from virtproto.protocol.events import Event
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

    # What a stream gives when it is looped over.
    Chunks: TypeAlias = AsyncIterator[bytes]

__all__ = [
    "StreamEnd",
    "announce_end",
    "make_room",
    "read_no_more",
    "read_on",
    "room_for_call",
    "run_handler",
]

# How often a daemon hears of a client that reads nothing; it gives up after 30 s by default.
_SIGN_OF_LIFE_S = 5.0
# What nothing more comes after.
_ENDS = (StreamFinished, StreamFailed)
# In place of a timeout that never comes, which is not for nothing.
_NO_LIMIT = nullcontext()


def announce_end(channel: Channel, why: str, error: VirtprotoError | None) -> None:
    """Tell everybody but callers that the connection has ended."""
    streams = list(channel._streams.values())
    channel._streams.clear()
    for stream in streams:
        stream.lose(why, error)
    listener, channel._listener = channel._listener, None
    if listener is not None:
        listener.lose(close_reason(why, error))
    if channel._passage is not None:
        channel._passage.end()


def read_no_more(channel: Channel) -> None:
    """Leave what comes with the daemon until a stream's reader has caught up, or a call is made."""
    channel._crowded = True
    if channel._transport is not None:
        channel._transport.pause_reading()
    channel._signs = channel._loop.call_later(_SIGN_OF_LIFE_S, _give_sign, channel)


def _give_sign(channel: Channel) -> None:
    """Have the daemon hear something: a pong that it has not asked for does no harm."""
    if channel._transport is not None and not channel._full:
        channel._transport.write(PONG_PACKET)
        if channel._road.tracer is not None:
            from .overhearing import note_sign

            note_sign(channel, PONG_PACKET)
    channel._signs = channel._loop.call_later(_SIGN_OF_LIFE_S, _give_sign, channel)


def read_on(channel: Channel) -> None:
    """Read again after `read_no_more`."""
    channel._crowded = False
    if channel._signs is not None:
        channel._signs.cancel()
        channel._signs = None
    if channel._transport is not None and channel._passage is None and channel._closed is None:
        channel._transport.resume_reading()


def make_room(channel: Channel) -> None:
    """Read again after `read_no_more` if nothing is crowded any more."""
    if channel._crowded:
        listener = channel._listener
        crowded = any(stream.inbox.crowded for stream in channel._streams.values())
        if not crowded and not (listener is not None and listener.crowded):
            read_on(channel)


async def run_handler(handler: Callable[..., Any], *args: object) -> Any:
    """Call a function of the user's, wait for it if it is asynchronous, and return its result."""
    result = handler(*args)
    return await result if isawaitable(result) else result


async def room_for_call(
    channel: Channel, procedure: Procedure[Any, Any], timeout_s: float | None
) -> float | None:
    """Wait while the transport has more to write than it should; return the time that is left.

    Raises DeadlineError, and what the connection's end is to a call of which nothing was sent.
    """
    end = None if timeout_s is None else channel._loop.time() + timeout_s
    await _room(channel, procedure, timeout_s)
    if channel._closed is CLOSED_HERE:
        raise closed_during(procedure)
    if channel._closed is not None:
        raise lost(procedure, channel._closed, may_have_run=False)
    return None if end is None else end - channel._loop.time()


async def _room(channel: Channel, procedure: Procedure[Any, Any], timeout_s: float | None) -> None:
    """Wait while the transport has more to write than it should. Raises DeadlineError."""
    if timeout_s is not None and timeout_s <= 0:
        raise unsent(procedure, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            while channel._full and channel._closed is None:
                await _turn(channel, channel._senders)
    except TimeoutError:
        raise unsent(procedure, timeout_s) from None


async def _turn(channel: Channel, turns: list[asyncio.Future[None]]) -> None:
    """Wait in a list of those who are woken together, and leave it when cancelled."""
    turn: asyncio.Future[None] = channel._loop.create_future()
    turns.append(turn)
    try:
        await turn
    except BaseException:
        # Not there any more if it was woken and cancelled at once.
        with suppress(ValueError):
            turns.remove(turn)
        raise


class StreamEnd:
    """The traffic of one stream: what came and is unread, and the ways to send and to wait."""

    def __init__(self, procedure: Procedure[Any, Any], *, sparse: bool) -> None:
        self.procedure = procedure
        self.inbox = StreamInbox(procedure, sparse=sparse)
        # Called after something came, from within the reader; must only take note.
        self.notify: Callable[[], object] | None = None
        self._channel: Channel | None = None
        self._serial = -1
        self._waiting: list[asyncio.Future[None]] = []
        # Set once the end is asked for: nobody will read what still comes.
        self._unwanted = False
        # Whether the socket holds as much as suits large packets.
        self._widened = False

    # For the channel.

    def join(self, channel: Channel) -> None:
        """Become a stream of ``channel`` with the call that is made next."""
        self._channel = channel
        keep_memory()

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

    def deliver(self, event: Event) -> None:
        """Take note of what came, and wake who waits for it."""
        self.inbox.put(event)
        if self._unwanted:
            self.inbox.clear()
        if isinstance(event, _ENDS):
            self.forget()
        self._rouse()

    def lose(self, why: str, error: VirtprotoError | None) -> None:
        """Take note of the connection's end."""
        if error is not None:
            self.inbox.fail(repeated(error))
        elif why is CLOSED_HERE:
            self.inbox.fail(closed_during(self.procedure))
        else:
            self.inbox.fail(lost(self.procedure, why))
        self._rouse()

    def forget(self) -> None:
        """Have nothing more of the stream delivered."""
        channel = self._opened()
        channel._streams.pop(self._serial, None)
        make_room(channel)

    def disown(self) -> None:
        """Have nothing more of the stream delivered: nobody has it any more. On any thread."""
        channel = self._opened()
        channel._streams.pop(self._serial, None)
        if channel._crowded and not channel._loop.is_closed():
            channel._loop.call_soon_threadsafe(make_room, channel)

    # For the stream's user.

    def read(self, nbytes: int, *, stop_at_hole: bool) -> bytes | None:
        """Return what the inbox gives; see StreamInbox.read."""
        data = self.inbox.read(nbytes, stop_at_hole=stop_at_hole)
        channel = self._opened()
        make_room(channel)
        if channel._crowded and not self.inbox.has_news:
            # What comes for this one may stand behind what another one's reader leaves unread.
            channel._require_usable()
            read_on(channel)
        return data

    def take_hole(self) -> int:
        """Pass the hole that stands first and return its length, 0 where there is none."""
        self.inbox.check()
        return self.inbox.take_hole()

    async def wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait until ``ready()``, whichever streams are crowded meanwhile.

        Raises DeadlineError, ConnectionClosedError.
        """
        channel = self._opened()
        if ready():
            return
        channel._require_usable()
        timeout_s = time_left(timeout_s)
        channel._readers += 1
        if channel._crowded:
            read_on(channel)
        try:
            async with _NO_LIMIT if timeout_s is None else asyncio.timeout(timeout_s):
                while not ready():
                    channel._require_usable()
                    await _turn(channel, self._waiting)
        except TimeoutError:
            raise late(self.procedure, timeout_s) from None
        finally:
            channel._readers -= 1

    async def send_data(self, data: bytes | memoryview) -> None:
        """Send data, at most what one packet takes; waits while the daemon takes no more."""
        # The transport keeps what the socket does not take, whatever becomes of the caller's.
        own = bytes(data)
        transport = self._opened()._transport
        if not self._widened and transport is not None and len(own) >= LARGE:
            self._widened = True
            widen(transport.get_extra_info("socket"))
        await self._send(lambda session: session.send_stream_data(self._serial, own))

    async def send_hole(self, length: int, flags: int) -> None:
        """Send a hole."""
        await self._send(lambda session: session.send_stream_hole(self._serial, length, flags))

    async def send_finish(self) -> None:
        """Say that all is sent, and drop what is unread; who waits for the answer has a limit."""
        self._send_end(lambda session: session.send_stream_finish(self._serial))

    async def send_abort(self) -> None:
        """Say that nothing more is wanted, and drop what is unread."""
        self._send_end(lambda session: session.send_stream_abort(self._serial))

    def _send_end(self, queue: Callable[[ClientSession], None]) -> None:
        # Without waiting for room: these packets are small, and nothing follows them.
        self.inbox.check()
        channel = self._opened()
        channel._require_usable()
        queue(channel._session)
        self._unwanted = True
        self.inbox.clear()
        channel._flush()

    async def _send(self, queue: Callable[[ClientSession], None]) -> None:
        # The daemon answers nothing on a stream that failed.
        self.inbox.check()
        channel = self._opened()
        limit_s = time_left(None)
        if channel._full or limit_s is not None:
            await _room(channel, self.procedure, limit_s)
            # It may have failed, or the connection ended, while this waited.
            self.inbox.check()
        channel._require_usable()
        queue(channel._session)
        channel._flush()

    def _rouse(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)
        if self.notify is not None:
            self.notify()

    def _opened(self) -> Channel:
        assert self._channel is not None
        return self._channel
