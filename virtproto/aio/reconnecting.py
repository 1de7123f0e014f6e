"""A connection that outlasts its channels: each one lost is replaced by a new one to the daemon.

Responsible for opening anew in a task of its own, for having all that the connection had asked of
the daemon asked again, and for the calls that wait meanwhile. Nothing of this runs, and no task
exists, while the connection is well. When to try is the model's business
(`virtproto.model.reconnecting`). Does in an event loop what its namesake does for threads.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from contextvars import Context
from random import random
from weakref import ref

from virtproto.errors import ConnectionClosedError, ConnectionLostError, DeadlineError
from virtproto.model.reconnecting import Attempts, gap, is_final, without_tracebacks
from virtproto.model.replies import (
    CLOSED_BY_DAEMON,
    CLOSED_HERE,
    INHERITED,
    close_reason,
    late_for_return,
    lost_for_good,
    refused,
    unclosed,
)
from virtproto.transport.deadline import time_left
from virtproto.transport.inheritance import remember

from .channel import Channel
from .ending import misplaced
from .renewing import renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, TypeVar

    from virtproto.errors import TransportError, VirtprotoError
    from virtproto.model.reconnecting import Reconnect
    from virtproto.xdr.procedure import Procedure

    from .channel import Special
    from .connection import Connection, Entrance
    from .traffic import StreamEnd

    T = TypeVar("T")

__all__ = ["LastingChannel", "Line"]

# Why a connection is over whose task was cancelled.
_CANCELLED = "the task that was to open it anew was cancelled"


class LastingChannel(Channel):
    """A channel whose calls go to the one that comes after it, if nothing of them was sent."""

    # Set once a connection has the channel; opening and renewing it must not wait for a next one.
    line: Line | None = None

    async def call(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        timeout_s: float | None = None,
        special: Special | None = None,
    ) -> bytes:
        """Make one call, on a later channel if nothing of it left on this one."""
        if special is not None or self.line is None:
            # What goes with a special call belongs to this channel: its maker makes it again.
            return await super().call(procedure, args, timeout_s, special)
        return await self.line.make(
            lambda channel, left_s: Channel.call(channel, procedure, args, left_s),
            procedure,
            timeout_s,
        )

    async def call_with_fds(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        fds: Sequence[int],
        timeout_s: float | None = None,
    ) -> tuple[bytes, list[int]]:
        """Make one call with descriptors, on a later channel if nothing of it left on this one."""
        if self.line is None:
            return await super().call_with_fds(procedure, args, fds, timeout_s)
        return await self.line.make(
            lambda channel, left_s: Channel.call_with_fds(channel, procedure, args, fds, left_s),
            procedure,
            timeout_s,
        )

    async def call_opening_stream(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        stream: StreamEnd,
        timeout_s: float | None = None,
    ) -> bytes:
        """Open a stream, on a later channel if nothing of the call left on this one."""
        if self.line is None:
            return await super().call_opening_stream(procedure, args, stream, timeout_s)

        def open_stream(channel: Channel, left_s: float | None) -> Awaitable[bytes]:
            stream.inbox.error = None
            return Channel.call_opening_stream(channel, procedure, args, stream, left_s)

        return await self.line.make(open_stream, procedure, timeout_s)

    async def close(self, goodbye: Procedure[Any, Any] | None = None) -> None:
        """Close the connection, whichever channel it has."""
        if self.line is None:
            await super().close(goodbye)
        else:
            await self.line.close(goodbye)

    def abandon(self) -> None:
        """Close what a connection has that nobody has any more, and warn; silent if closed."""
        if self.line is None:
            super().abandon()
        else:
            self.line.abandon()


class _Outage:
    """The time from a loss to the next channel, or to the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, why: str, reason: int) -> None:
        self.why = why
        self.reason = reason
        self.began = loop.time()
        # What became of the last attempt.
        self.failure: Exception | None = None
        # Done when it is over, in whichever way.
        self.over: asyncio.Future[None] = loop.create_future()
        self.task: asyncio.Task[None] | None = None


class Line:
    """What makes one connection of channels that follow one another."""

    def __init__(self, connection: Connection, entrance: Entrance, policy: Reconnect) -> None:
        channel = connection._channel
        self._loop = channel._loop
        self._name = channel._road.name
        # Weak: a connection that is dropped must end, not be kept by what opens it anew.
        self._connection = ref(connection)
        connection._line = self
        self._entrance = entrance
        self._attempts = Attempts(policy, random)
        self._outage: _Outage | None = None
        # Why it is over for good, and the failure of the last attempt if that is why.
        self._over: str | None = None
        self._failure: Exception | None = None
        self._take(connection, channel)
        remember(self)

    @property
    def state(self) -> str:
        """``open``, ``reconnecting`` or ``closed``."""
        if self._over is not None or self._loop.is_closed():
            return "closed"
        return "open" if self._outage is None and self._channel.is_open else "reconnecting"

    def keep_alive(self, interval_s: float, count: int) -> None:
        """Have later channels ask for signs of life as the present one was told to."""
        self._entrance.keepalive = (interval_s, count) if interval_s > 0 else None

    async def make(
        self,
        make: Callable[[Channel, float | None], Awaitable[T]],
        procedure: Procedure[Any, Any],
        timeout_s: float | None,
    ) -> T:
        """Make a call; wait for the next channel, and make it there, while nothing of it left."""
        until = None if timeout_s is None else self._loop.time() + timeout_s
        left_s = timeout_s
        if self._outage is not None or self._over is not None:
            left_s = await self._wait(procedure, timeout_s, until)
        while True:
            channel = self._channel
            try:
                return await make(channel, left_s)
            except (ConnectionClosedError, ConnectionLostError) as error:
                if not self._outlasts(channel, error):
                    raise
            left_s = await self._wait(procedure, timeout_s, until)

    async def close(self, goodbye: Procedure[Any, Any] | None) -> None:
        """Close the channel that there is, and open no other."""
        if self._over is INHERITED:
            return
        outage = self._outage
        if asyncio._get_running_loop() is not self._loop:
            if outage is not None and not self._loop.is_closed():
                raise misplaced(self._channel)
            await Channel.close(self._channel, goodbye)
            self._over = self._over or CLOSED_HERE
            return
        self._over = self._over or CLOSED_HERE
        await Channel.close(self._channel, goodbye)
        if outage is not None:
            task = outage.task
            self._finish(outage)
            if task is not None:
                await asyncio.wait([task])

    def abandon(self) -> None:
        """Open no other channel, and close the one that there is. On any thread."""
        if self._over is not None or sys.is_finalizing():
            return
        self._over = CLOSED_HERE
        outage = self._outage
        if outage is None:
            Channel.abandon(self._channel)
            return
        try:
            self._loop.call_soon_threadsafe(self._finish, outage)
        except RuntimeError:
            # The loop has ended, and the task with it.
            return
        warnings.warn(unclosed(self._name), ResourceWarning, stacklevel=4, source=self)

    def leave_to_parent(self) -> None:
        """In a forked process: make no more calls. The channels see to themselves."""
        self._over = self._over or INHERITED

    # Inside.

    def _take(self, connection: Connection, channel: Channel) -> None:
        """Have the connection use a channel from now on."""
        assert isinstance(channel, LastingChannel)
        channel.when_lost(self._note_loss)
        self._channel = channel
        channel.line = self
        connection._channel = channel
        # Last: until then nobody takes the channel before for one that was just lost.
        self._outage = None
        if not channel.is_open:
            # It was lost before that.
            self._note_end_of(channel)

    def _outlasts(
        self, channel: Channel, error: ConnectionClosedError | ConnectionLostError
    ) -> bool:
        """Return whether a call that ended with ``error`` is to be made on another channel."""
        if error.may_have_run or self._over is not None or channel.is_open:
            return False
        self._note_end_of(channel)
        return True

    def _note_end_of(self, channel: Channel) -> None:
        """Note the loss of a channel that was not told of yet, or not heard."""
        why = channel._closed or CLOSED_BY_DAEMON
        self._note_loss(why, None, close_reason(why, None))

    def _note_loss(self, why: str, error: VirtprotoError | None, reason: int) -> None:
        """Have a channel opened in place of the one that is lost; the first word of it counts."""
        if self._outage is not None or self._over is not None or self._channel.is_open:
            return
        self._outage = outage = _Outage(self._loop, why, reason)
        # In no context: deadlines of whoever happened to notice are not this task's.
        outage.task = self._loop.create_task(
            self._reopen(outage), name="virtproto reconnecting", context=Context()
        )
        # An event loop that is closed instead of ended would have it reported.
        outage.task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _wait(
        self, procedure: Procedure[Any, Any], timeout_s: float | None, until: float | None
    ) -> float | None:
        """Wait until there is a channel again; return how many seconds are left then."""
        while True:
            if self._over is not None:
                raise self._refusal()
            if asyncio._get_running_loop() is not self._loop:
                raise misplaced(self._channel)
            left_s = time_left(None if until is None else until - self._loop.time())
            outage = self._outage
            if outage is None:
                return left_s
            if left_s is not None and left_s <= 0:
                raise late_for_return(procedure, timeout_s, outage.failure)
            await asyncio.wait([outage.over], timeout=left_s)

    def _refusal(self) -> TransportError:
        """Return the error for a call after the end."""
        if self._failure is None:
            return refused(self._over or CLOSED_HERE)
        return lost_for_good(self._over or CLOSED_BY_DAEMON, self._failure)

    def _finish(self, outage: _Outage) -> None:
        """End an outage without a channel."""
        if outage.task is not None:
            outage.task.cancel()
        if not outage.over.done():
            outage.over.set_result(None)
        connection = self._connection()
        living = None if connection is None else connection._living
        if living is not None:
            living.delivery.finish(None if self._failure is None else self._refusal())

    async def _reopen(self, outage: _Outage) -> None:
        """Try until there is a channel again, or trying is over."""
        attempts = self._attempts
        attempts.lost(outage.began)
        failure: Exception = DeadlineError("there was no time for an attempt")
        try:
            while (delay_s := attempts.delay_s(self._loop.time())) is not None:
                await asyncio.sleep(delay_s)
                if attempts.is_over(self._loop.time()):
                    break
                try:
                    await self._attempt(outage)
                    return
                except Exception as error:
                    outage.failure = failure = without_tracebacks(error)
                attempts.failed()
                if is_final(failure):
                    break
            self._give_up(outage, failure)
        except asyncio.CancelledError:
            # By `close`, or by who ends the event loop.
            if self._over is None:
                self._over = _CANCELLED
                self._finish(outage)
            raise

    def _give_up(self, outage: _Outage, failure: Exception) -> None:
        if self._over is None:
            self._failure = failure
            self._over = outage.why
        outage.task = None
        self._finish(outage)

    async def _attempt(self, outage: _Outage) -> None:
        """Open a channel, have all asked anew on it, and have the connection use it."""
        entrance = self._entrance
        limit_s = entrance.timeout_s
        left_s = self._attempts.left_s(self._loop.time())
        if left_s is not None:
            limit_s = left_s if limit_s is None else min(limit_s, left_s)
        where, channel = await entrance.connect(limit_s, LastingChannel)
        try:
            opened = await entrance.enter(channel, where, limit_s)
            connection = self._connection()
            if connection is None:
                raise refused(CLOSED_HERE)
            living = connection._alive()
            # Whoever has the turn does not wait for a channel, so this does not wait for him.
            async with living.turn:
                connection._renew(opened)
                lasted_s = self._loop.time() - outage.began
                mark = gap(outage.reason, outage.why, lasted_s)
                await renew(living, channel, limit_s, mark, opened)
                self._resume(outage, connection, channel)
        except GeneratorExit:
            # The event loop was closed under it, and nothing can be waited for.
            channel._free()
            raise
        except BaseException:
            await Channel.close(channel)
            raise

    def _resume(self, outage: _Outage, connection: Connection, channel: Channel) -> None:
        """Have the connection use a channel, and all who waited for it go on."""
        if self._over is not None:
            raise refused(self._over)
        self._attempts.opened(self._loop.time())
        outage.task = None
        self._take(connection, channel)
        if not outage.over.done():
            outage.over.set_result(None)
