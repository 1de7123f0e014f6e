"""A connection that outlasts its channels: each one lost is replaced by a new one to the daemon.

Responsible for opening anew on a thread of its own, for having all that the connection had asked of
the daemon asked again, and for the calls that wait meanwhile. Nothing of this runs, and no thread
exists, while the connection is well. When to try is the model's business
(`virtproto.model.reconnecting`). Does for threads what its namesake does in an event loop.

A channel's loss is noted under that channel's lock, and a connection may be dropped at any moment,
even by the garbage collector within this module. So nothing here is done to a channel under a lock
of this module's, and what a dropped connection does takes none.
"""

from __future__ import annotations

import atexit
import os
import threading
from _thread import allocate_lock
from _warnings import warn
from random import random
from sys import is_finalizing
from time import monotonic
from weakref import ref

from virtproto.errors import ConnectionClosedError, ConnectionLostError, DeadlineError
from virtproto.model.reconnecting import Attempts, gap, is_final, without_tracebacks
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
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
from .renewing import renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from virtproto.errors import TransportError, VirtprotoError
    from virtproto.model.reconnecting import Reconnect
    from virtproto.xdr.procedure import Procedure

    from .channel import Special
    from .connection import Connection, Entrance
    from .traffic import StreamEnd

    T = TypeVar("T")

__all__ = ["LastingChannel", "Line"]

# Who waits looks again at least this often: a wake-up that a signal took away heals itself.
_LOOK_AGAIN_S = 1.0


class _Starting:
    """Whether threads may still be started: one that begins while the interpreter ends crashes it.

    ``turn`` is held while one begins, so that the interpreter does not get to its end meanwhile.
    """

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self.over = False
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self.renew)

    def end(self) -> None:
        """Start none any more."""
        with self.turn:
            self.over = True

    def renew(self) -> None:
        """In a forked process: nobody is about to start one."""
        self.turn = threading.RLock()

    def start(self, thread: threading.Thread) -> None:
        """Start a thread; return once it runs. Raises RuntimeError."""
        with self.turn:
            if self.over:
                raise RuntimeError("the interpreter is about to end")
            thread.start()


_starting = _Starting()


class LastingChannel(Channel):
    """A channel whose calls go to the one that comes after it, if nothing of them was sent."""

    __slots__ = ("line",)

    # Set once a connection has the channel; opening and renewing it must not wait for a next one.
    line: Line | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.line = None
        super().__init__(*args, **kwargs)

    def call(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        timeout_s: float | None = None,
        special: Special | None = None,
    ) -> bytes:
        """Make one call, on a later channel if nothing of it left on this one."""
        if special is not None or self.line is None:
            # What goes with a special call belongs to this channel: its maker makes it again.
            return super().call(procedure, args, timeout_s, special)
        return self.line.make(
            lambda channel, left_s: Channel.call(channel, procedure, args, left_s),
            procedure,
            timeout_s,
        )

    def call_with_fds(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        fds: Sequence[int],
        timeout_s: float | None = None,
    ) -> tuple[bytes, list[int]]:
        """Make one call with descriptors, on a later channel if nothing of it left on this one."""
        if self.line is None:
            return super().call_with_fds(procedure, args, fds, timeout_s)
        return self.line.make(
            lambda channel, left_s: Channel.call_with_fds(channel, procedure, args, fds, left_s),
            procedure,
            timeout_s,
        )

    def call_opening_stream(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        stream: StreamEnd,
        timeout_s: float | None = None,
    ) -> bytes:
        """Open a stream, on a later channel if nothing of the call left on this one."""
        if self.line is None:
            return super().call_opening_stream(procedure, args, stream, timeout_s)

        def open_stream(channel: Channel, left_s: float | None) -> bytes:
            stream.inbox.error = None
            return Channel.call_opening_stream(channel, procedure, args, stream, left_s)

        return self.line.make(open_stream, procedure, timeout_s)

    def close(self, goodbye: Procedure[Any, Any] | None = None) -> None:
        """Close the connection, whichever channel it has."""
        if self.line is None:
            super().close(goodbye)
        else:
            self.line.close(goodbye)

    def abandon(self) -> None:
        """Close what a connection has that nobody has any more, and warn; silent if closed."""
        if self.line is None:
            super().abandon()
        else:
            self.line.abandon()


class _Gate:
    """Shut at first, and open for ever once it is opened, which takes no lock."""

    def __init__(self) -> None:
        self.is_open = False
        self._shut = allocate_lock()
        self._shut.acquire()

    def open(self) -> None:
        """Let everybody through."""
        self.is_open = True
        try:  # noqa: SIM105 - contextlib takes long to import
            self._shut.release()
        except RuntimeError:
            # It was open, or one passes just now.
            pass

    def wait(self, limit_s: float | None) -> bool:
        """Wait until it is open, or time is up; return whether it is open."""
        until = None if limit_s is None else monotonic() + limit_s
        while not self.is_open:
            left_s = _LOOK_AGAIN_S
            if until is not None:
                left_s = min(left_s, until - monotonic())
                if left_s <= 0:
                    return False
            if self._shut.acquire(timeout=left_s):
                # One lets the next one through.
                self.open()
        return True


class _Outage:
    """The time from a loss to the next channel, or to the end."""

    def __init__(self, why: str, reason: int) -> None:
        self.why = why
        self.reason = reason
        self.began = monotonic()
        # What became of the last attempt, and the channel of the one that is under way.
        self.failure: Exception | None = None
        self.opening: Channel | None = None
        # Opened when it is over, in whichever way; and to have no more attempts made.
        self.over = _Gate()
        self.stopped = _Gate()
        self.thread: threading.Thread | None = None


class Line:
    """What makes one connection of channels that follow one another."""

    def __init__(self, connection: Connection, entrance: Entrance, policy: Reconnect) -> None:
        channel = connection._channel
        self._name = channel._road.name
        # Weak: a connection that is dropped must end, not be kept by what opens it anew.
        self._connection = ref(connection)
        connection._line = self
        self._entrance = entrance
        self._attempts = Attempts(policy, random)
        # Reentrant: a signal handler may close what it interrupted.
        self._lock = threading.RLock()
        self._outage: _Outage | None = None
        # Why it is over for good, and the failure of the last attempt if that is why.
        self._over: str | None = None
        self._failure: Exception | None = None
        self._take(connection, channel)
        remember(self)

    @property
    def state(self) -> str:
        """``open``, ``reconnecting`` or ``closed``."""
        if self._over is not None:
            return "closed"
        return "open" if self._outage is None and self._channel.is_open else "reconnecting"

    def keep_alive(self, interval_s: float, count: int) -> None:
        """Have later channels ask for signs of life as the present one was told to."""
        self._entrance.keepalive = (interval_s, count) if interval_s > 0 else None

    def make(
        self,
        make: Callable[[Channel, float | None], T],
        procedure: Procedure[Any, Any],
        timeout_s: float | None,
    ) -> T:
        """Make a call; wait for the next channel, and make it there, while nothing of it left."""
        until = None if timeout_s is None else monotonic() + timeout_s
        left_s = timeout_s
        if self._outage is not None or self._over is not None:
            left_s = self._wait(procedure, timeout_s, until)
        while True:
            channel = self._channel
            try:
                return make(channel, left_s)
            except (ConnectionClosedError, ConnectionLostError) as error:
                if not self._outlasts(channel, error):
                    raise
            left_s = self._wait(procedure, timeout_s, until)

    def close(self, goodbye: Procedure[Any, Any] | None) -> None:
        """Close the channel that there is, and open no other."""
        if self._over is INHERITED:
            return
        self._over = self._over or CLOSED_HERE
        Channel.close(self._channel, goodbye)
        with self._lock:
            # Whoever was about to note a loss has started the thread by now, or never will.
            outage = self._outage
        if outage is not None:
            self._finish(outage)
            thread = outage.thread
            if thread is not None and thread.ident not in (None, threading.get_ident()):
                thread.join(CLOSE_TIMEOUT_S)

    def abandon(self) -> None:
        """Open no other channel, and close the one that there is. On any thread."""
        if self._over is not None or is_finalizing():
            return
        self._over = CLOSED_HERE
        outage = self._outage
        if outage is None:
            Channel.abandon(self._channel)
        else:
            self._finish(outage)
            warn(unclosed(self._name), ResourceWarning, 4, self)

    def leave_to_parent(self) -> None:
        """In a forked process: make no more calls. The channels see to themselves."""
        self._over = self._over or INHERITED
        # Another thread of the parent's may have held it.
        self._lock = threading.RLock()

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
        self._note_loss(why, channel._error, close_reason(why, channel._error))

    def _note_loss(self, why: str, error: VirtprotoError | None, reason: int) -> None:
        """Have a channel opened in place of the one that is lost; the first word of it counts."""
        with self._lock:
            if self._outage is not None or self._over is not None or self._channel.is_open:
                return
            outage = _Outage(why, reason)
            outage.thread = threading.Thread(
                target=self._reopen, args=(outage,), name="virtproto reconnecting", daemon=True
            )
            self._outage = outage
            try:
                _starting.start(outage.thread)
            except RuntimeError as failure:
                # No more threads can be had, or the interpreter is about to end.
                outage.thread = None
                self._give_up(outage, without_tracebacks(failure))

    def _wait(
        self, procedure: Procedure[Any, Any], timeout_s: float | None, until: float | None
    ) -> float | None:
        """Wait until there is a channel again; return how many seconds are left then."""
        while True:
            if self._over is not None:
                raise self._refusal()
            left_s = time_left(None if until is None else until - monotonic())
            outage = self._outage
            if outage is None:
                return left_s
            if left_s is not None and left_s <= 0:
                raise late_for_return(procedure, timeout_s, outage.failure)
            outage.over.wait(_LOOK_AGAIN_S if left_s is None else min(left_s, _LOOK_AGAIN_S))

    def _refusal(self) -> TransportError:
        """Return the error for a call after the end."""
        if self._failure is None:
            return refused(self._over or CLOSED_HERE)
        return lost_for_good(self._over or CLOSED_BY_DAEMON, self._failure)

    def _finish(self, outage: _Outage) -> None:
        """End an outage without a channel."""
        outage.stopped.open()
        opening = outage.opening
        if opening is not None:
            # Whoever waits on it, on the thread that opens it, need not wait on.
            Channel.close(opening)
        outage.over.open()
        connection = self._connection()
        living = None if connection is None else connection._living
        if living is not None:
            living.delivery.finish(None if self._failure is None else self._refusal())

    def _reopen(self, outage: _Outage) -> None:
        """Try until there is a channel again, or trying is over."""
        attempts = self._attempts
        attempts.lost(outage.began)
        failure: Exception = DeadlineError("there was no time for an attempt")
        try:
            while (delay_s := attempts.delay_s(monotonic())) is not None:
                if outage.stopped.wait(delay_s) or self._over is not None:
                    return
                if attempts.is_over(monotonic()):
                    break
                try:
                    self._attempt(outage)
                    return
                except Exception as error:
                    outage.failure = failure = without_tracebacks(error)
                attempts.failed()
                if is_final(failure):
                    break
            self._give_up(outage, failure)
        finally:
            # Who closes the connection just as it is back may not have seen this outage.
            outage.over.open()

    def _give_up(self, outage: _Outage, failure: Exception) -> None:
        if self._over is None:
            self._failure = failure
            self._over = outage.why
        self._finish(outage)

    def _attempt(self, outage: _Outage) -> None:
        """Open a channel, have all asked anew on it, and have the connection use it."""
        entrance = self._entrance
        limit_s = entrance.timeout_s
        left_s = self._attempts.left_s(monotonic())
        if left_s is not None:
            limit_s = left_s if limit_s is None else min(limit_s, left_s)
        connect_s = limit_s
        if not entrance.goes_far:
            # Nobody can wake a thread that connects; `close` waits for as long. A far host may take
            # its time, also where that leaves the thread behind for a while.
            connect_s = CLOSE_TIMEOUT_S if limit_s is None else min(limit_s, CLOSE_TIMEOUT_S)
        where, channel = entrance.connect(connect_s, LastingChannel)
        outage.opening = channel
        try:
            if self._over is not None:
                raise refused(self._over)
            opened = entrance.enter(channel, where, limit_s)
            connection = self._connection()
            if connection is None:
                raise refused(CLOSED_HERE)
            living = connection._alive()
            # Whoever has the turn does not wait for a channel, so this does not wait for him.
            with living.turn:
                connection._renew(opened)
                mark = gap(outage.reason, outage.why, monotonic() - outage.began)
                renew(living, channel, limit_s, mark, opened)
                self._resume(outage, connection, channel)
        except BaseException:
            Channel.close(channel)
            raise
        finally:
            outage.opening = None

    def _resume(self, outage: _Outage, connection: Connection, channel: Channel) -> None:
        """Have the connection use a channel, and all who waited for it go on."""
        self._attempts.opened(monotonic())
        before = self._channel
        self._take(connection, channel)
        if self._over is not None:
            # Closed meanwhile, and whoever did it may not have seen this channel.
            raise refused(self._over)
        outage.over.open()
        for waker in tuple(before._wakers):
            waker.wake()
