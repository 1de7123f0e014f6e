"""The timers of a channel in its event loop: deadlines of calls, and keepalive.

Responsible for waking at the right time, with one timer for all deadlines and one for keepalive. A
friend of `channel`: it uses the channel's inside. Must not know what is late, or what a sign of
life is.
"""

from __future__ import annotations

from virtproto.model.replies import late
from virtproto.protocol.keepalive import PONG_PACKET
from virtproto.transport.liveness import has_hung_up, has_taken_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

    from .channel import Channel

__all__ = ["Deadlines", "Pulse"]

# How late a deadline may be noticed, in seconds. Calls of one block with a limit all end at one
# moment, but for what computing it comes to: they are to need one timer.
_SLACK_S = 0.001


class Deadlines:
    """When calls have waited long enough: what a channel's ``_waiting`` says of each."""

    __slots__ = ("_channel", "_timer")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._timer: asyncio.TimerHandle | None = None

    def end_of(self, timeout_s: float) -> float:
        """Return when so many seconds are over; calls that wait until then are failed then."""
        channel = self._channel
        loop = channel._loop
        when = loop.time() + timeout_s
        timer = self._timer
        if timer is None or timer.when() > when + _SLACK_S:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_at(when, self._sweep, context=channel._timers_context)
        return when

    def stop(self) -> None:
        """Have nothing happen to any call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Fail the calls whose time is up; look again when the next one's will be."""
        channel = self._channel
        now = channel._loop.time()
        self._timer = None
        earliest = None
        for serial, (future, procedure, when, timeout_s) in channel._waiting.items():
            # Done when the reply has come and the caller has not had its turn yet.
            if when is None or future.done():
                continue
            if when <= now:
                held_by = channel.long_calls if channel._session.is_held(serial) else None
                future.set_exception(late(procedure, timeout_s, held_by=held_by))
            elif earliest is None or when < earliest:
                earliest = when
        if earliest is not None:
            context = channel._timers_context
            self._timer = channel._loop.call_at(earliest, self._sweep, context=context)


class Pulse:
    """Keepalive of a channel: it asks a silent daemon, and ends with one that does not answer."""

    __slots__ = ("_channel", "_rate", "_timer")

    def __init__(self, channel: Channel, interval_s: float, count: int) -> None:
        """Begin to beat. Raises UsageError for an interval or a count that makes no sense."""
        self._channel = channel
        self._rate = (interval_s, count)
        self._timer: asyncio.TimerHandle | None = None
        channel._session.enable_keepalive(interval_s, count, channel._loop.time())
        self._wait()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        """Do what is due."""
        channel = self._channel
        now = channel._loop.time()
        if channel._crowded:
            self._judge_unread(now)
        else:
            channel._session.tick(now)
            channel._dispatch()
        self._wait()

    def _judge_unread(self, now: float) -> None:
        """See without reading whether a daemon lives: one that does takes in what it is sent."""
        channel = self._channel
        transport = channel._transport
        if transport is None or has_hung_up(channel._sock):
            # What is left to read is little, and then comes the end: that is waited for now.
            channel._readers += 1
            channel._read_on()
            channel._session.enable_keepalive(*self._rate, now)
            return
        if transport.get_write_buffer_size() == 0 and has_taken_all(channel._sock):
            channel._session.enable_keepalive(*self._rate, now)
            # For the next beat to look for; a daemon does not mind it.
            transport.write(PONG_PACKET)
            if channel._road.tracer is not None:
                from .overhearing import note_sign

                note_sign(channel, PONG_PACKET)
        channel._session.tick(now)
        channel._dispatch()

    def _wait(self) -> None:
        channel = self._channel
        due = channel._session.next_deadline()
        if due is None:
            self._timer = None
        else:
            context = channel._timers_context
            self._timer = channel._loop.call_at(due, self._beat, context=context)
