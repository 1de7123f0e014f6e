"""Who waits for what comes on a connection, and who of them reads the socket.

Responsible for waiting: one thread leads, which is to read for everybody, and the others follow,
each asleep on a lock of its own. A friend of `channel`, whose head says what holds; must not know
what comes.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from select import POLLIN, poll
from time import monotonic

from virtproto.errors import TransportError, VirtprotoError
from virtproto.model.replies import late, refused
from virtproto.transport.deadline import time_left

from .reading import digest, read_at_once, read_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from _thread import LockType
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.protocol.events import CallFailed, ReplyReceived
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel, Special
    from .layered_socket import LayeredSocket

__all__ = ["Waiter", "Waker", "hand_on", "seize", "take_in", "wait", "wait_until", "watch"]

# Who waits looks again so often, whether or not he was woken.
_LOOK_AGAIN_S = 1.0
# The same for one who has something to send that the socket does not take.
_TRY_AGAIN_S = 0.05
# poll(2) counts milliseconds in 31 bits.
_LONGEST_SLEEP_S = 86400.0


class Waiter:
    """A thread that waits: for the reply to its call, or until it is told to look again.

    ``answer`` is what it is told, by whoever took it in. A thread that reads for others alone is
    one as well.
    """

    __slots__ = ("_bed", "answer", "procedure", "serial", "special")

    def __init__(
        self, procedure: Procedure[Any, Any] | None = None, special: Special | None = None
    ) -> None:
        self.procedure = procedure
        self.special = special
        # Of its call; no call has this one.
        self.serial = -1
        self.answer: ReplyReceived | CallFailed | bool | None = None
        # Held by the sleeper; made by the first who sleeps.
        self._bed: LockType | None = None

    def lie_down(self) -> None:
        """Be ready to be woken: a wake-up that comes from now on is not missed."""
        if self._bed is None:
            bed = allocate_lock()
            bed.acquire()
            self._bed = bed

    def sleep(self, seconds: float) -> None:
        """Sleep until woken, or for so long."""
        assert self._bed is not None
        self._bed.acquire(True, seconds)

    def wake(self) -> None:
        """Wake the thread, or keep it from falling asleep the next time."""
        if self._bed is not None:
            try:  # noqa: SIM105 - contextlib takes long to import
                self._bed.release()
            except RuntimeError:
                # It is awake.
                pass

    def tell_news(self) -> None:
        """Have the thread look whether what it waits for is there."""
        self.answer = True
        self.wake()


def seize(channel: Channel, waiter: Waiter) -> bool:
    """Have ``waiter`` lead if nobody does; return whether it does.

    Where the connection has ended it is told so instead. The caller must give the lead back, in a
    ``finally`` that begins before the call.
    """
    with channel._lock:
        if not channel._settled:
            channel._lose_torn()
        if channel._ended:
            channel._tell_end(waiter)
        elif channel._lead is None:
            channel._lead = waiter
    return channel._lead is waiter


def wait(channel: Channel, waiter: Waiter, deadline: float | None, limit_s: float | None) -> None:
    """Wait until ``waiter`` was told something, as leader or as follower.

    ``limit_s`` is what is left until ``deadline``. Raises BlockingIOError when time is up. The
    caller gives the lead back afterwards.
    """
    while waiter.answer is None:
        if channel._lead is waiter:
            read_for(channel, waiter, deadline, limit_s)
        else:
            follow(channel, waiter, deadline)
            if deadline is not None:
                limit_s = deadline - monotonic()


def follow(channel: Channel, waiter: Waiter, deadline: float | None, *, once: bool = False) -> None:
    """Wait until ``waiter`` was told something, or leads. Raises BlockingIOError in the end.

    ``once`` is for who looks for himself as well: it has not to be told anything then.
    """
    followers = channel._followers
    if channel._hearing is not None:
        # What this thread has sent: who reads may do so for long.
        channel._hearing.check()
        channel._hearing.tell()
    waiter.lie_down()
    try:
        while waiter.answer is None:
            if waiter not in followers:
                followers.append(waiter)
            # Only now: who leaves the lead looks for followers after it.
            # What is unsettled may be torn, which he who leads may never see.
            look = channel._lead is None or channel._ended or not channel._settled
            if look and seize(channel, waiter):
                return
            if waiter.answer is not None:
                return
            left = _LOOK_AGAIN_S
            if deadline is not None:
                left = min(left, deadline - monotonic())
                if left <= 0:
                    raise BlockingIOError
            if channel._outgoing:
                from .sending import send_while_another_reads

                send_while_another_reads(channel, min(left, _TRY_AGAIN_S))
            else:
                waiter.sleep(left)
            if once:
                return
    finally:
        try:  # noqa: SIM105 - contextlib takes long to import
            followers.remove(waiter)
        except ValueError:
            # Woken to lead.
            pass


def hand_on(channel: Channel) -> None:
    """Wake somebody to lead, as nobody does; after the connection's end, close the socket."""
    if channel._ended:
        if channel._lead is None:
            channel._sock.close()
        for waiter in tuple(channel._followers):
            waiter.wake()
        return
    followers = channel._followers
    if channel._lead is not None:
        return
    while channel._lead is None and followers:
        try:
            waiter = followers.pop(0)
        except IndexError:
            break
        if waiter.answer is None:
            waiter.wake()
            return
    for waker in tuple(channel._wakers):
        if waker.starved:
            waker.wake()


def wait_until(
    channel: Channel,
    waiter: Waiter,
    ready: Callable[[], bool],
    timeout_s: float | None = None,
    procedure: Procedure[Any, Any] | None = None,
) -> None:
    """Wait until ``ready()``, reading for everybody if nobody else does.

    It is asked again whenever ``waiter.tell_news`` was called, and each second while another thread
    reads, as that one may be torn from telling. ``procedure`` is for the error's words. Raises
    DeadlineError, and ConnectionClosedError once the connection has ended.
    """
    timeout_s = time_left(timeout_s)
    deadline = None if timeout_s is None else monotonic() + timeout_s
    left_s = timeout_s
    try:
        while True:
            waiter.answer = None
            # Only now: what comes after it is told.
            if ready():
                return
            if channel._closed is not None:
                raise refused(channel._closed)
            if channel._lead is None:
                # Who need not follow need not lie down.
                seize(channel, waiter)
            if waiter.answer is not None:
                continue
            if channel._lead is waiter:
                read_for(channel, waiter, deadline, left_s)
            else:
                follow(channel, waiter, deadline, once=True)
            if deadline is not None:
                left_s = deadline - monotonic()
    except BlockingIOError:
        raise late(procedure, timeout_s) from None
    finally:
        if channel._lead is waiter:
            channel._lead = None
        if channel._lead is None:
            hand_on(channel)


def take_in(channel: Channel, waiter: Waiter) -> bool:
    """Read once what is there and hand it out; return whether there was anything.

    The caller leads, with ``waiter``.
    """
    if not channel._inbox and not read_at_once(channel):
        return False
    with channel._lock:
        digest(channel, waiter)
    return not channel._ended


class Waker:
    """What a thread sleeps on that reads only while nobody else does: the socket, and a pipe."""

    # Also of one that was torn before it had any.
    _ends: Sequence[tuple[int, int]] = ()

    def __init__(self, sock: socket | LayeredSocket) -> None:
        # Kept by the C call that makes it, lest a signal comes between.
        ends: list[tuple[int, int]] = []
        self._ends = ends
        try:
            ends.extend(map(os.pipe2, (os.O_CLOEXEC | os.O_NONBLOCK,)))
        except OSError as error:
            raise TransportError(f"nothing to be woken by: {error.strerror}") from error
        self._out, self._in = self._ends[0]
        # True while the thread is kept from reading by one that leads.
        self.starved = False
        # True while the thread sleeps, or is about to.
        self.asleep = False
        self._alone, self._with_socket = poll(), poll()
        for each in (self._alone, self._with_socket):
            each.register(self._out, POLLIN)
        try:  # noqa: SIM105 - contextlib takes long to import
            self._with_socket.register(sock, POLLIN)
        except ValueError:
            # Closed: nothing comes on it any more, and others wake who waits for the next one.
            pass

    def __del__(self) -> None:
        for ends in self._ends:
            # In one C call, for the same reason.
            list(map(os.close, ends))

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
        ready = which.poll(milliseconds(timeout_s))
        if not any(fd == self._out for fd, _ in ready):
            return bool(ready)
        os.read(self._out, 4096)
        return len(ready) > 1


def milliseconds(timeout_s: float | None) -> float | None:
    """Return how long ``poll`` may take; its number is small, and who waits looks again anyway."""
    return None if timeout_s is None else min(max(0, timeout_s), _LONGEST_SLEEP_S) * 1000 + 1


def watch(
    channel: Channel, waker: Waker, ready: Callable[[], bool], timeout_s: float | None
) -> None:
    """Read for everybody until ``ready()``, the waker is woken, or time is up; look again then.

    Unlike who waits by `wait_until` this leaves the lead to others while nothing comes: calls do
    not have to be handed their replies. Raises ConnectionClosedError once the channel is closed.
    The waker must be one of the channel's ``_wakers``.
    """
    if channel._closed is not None:
        raise refused(channel._closed)
    waker.asleep = True
    try:
        if ready() or not waker.sleep(timeout_s):
            return
    finally:
        waker.asleep = False
    reader = Waiter()
    try:
        if seize(channel, reader):
            take_in(channel, reader)
            return
    except VirtprotoError:
        # The connection is lost, and everybody was told.
        return
    finally:
        if channel._lead is reader:
            channel._lead = None
            hand_on(channel)
    # Who leads wakes the starved when he is done.
    waker.starved = waker.asleep = True
    try:
        if not ready() and channel._lead is not None:
            left = _LOOK_AGAIN_S if timeout_s is None else min(timeout_s, _LOOK_AGAIN_S)
            waker.sleep(left, alone=True)
    finally:
        waker.starved = waker.asleep = False
