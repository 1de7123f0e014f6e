"""The end of a blocking connection: who is told what, and in which order.

Responsible for telling callers, streams, the listener and whoever else asked to be told. A friend
of `channel`, whose head says what holds; everything here but `say` and `close` needs its lock.
"""

from __future__ import annotations

from _thread import start_new_thread
from time import monotonic

from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_HERE,
    close_reason,
    closed_during,
    lost,
    lost_by,
    refused,
    repeated,
)
from virtproto.protocol.events import CallFailed
from virtproto.transport.deadline import time_left

from .reading import read_for
from .waiting import Waiter, hand_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["close", "end", "end_of_call", "say"]

# The lock is held for less, unless by the very thread that wants it: where a signal's handler
# closes a connection that is being used.
_MOMENT_S = 0.1


def say(channel: Channel, goodbye: Procedure[Any, Any]) -> None:
    """Call ``goodbye``, and wait for the answer, unless anybody waits for something."""
    limit_s = time_left(CLOSE_TIMEOUT_S) or 0
    if limit_s <= 0:
        return
    waiter = Waiter(goodbye)
    got: list[bool] = []
    try:
        try:
            got.extend(map(channel._lock.acquire, (True,), (_MOMENT_S,)))
            busy = not got[0] or channel._lead is not None or channel._waiting
            if busy or not channel._settled or channel._ended:
                return
            channel._begin(waiter, goodbye, b"")
            channel._lead = waiter
        finally:
            if got and got[0]:
                channel._lock.release()
        read_for(channel, waiter, monotonic() + limit_s, limit_s)
    finally:
        if channel._lead is waiter:
            channel._lead = None


def close(channel: Channel) -> None:
    """End a connection from this side, for who does not have its lock, or does not know that.

    It is the caller's own where a signal's handler closes what the signal came upon. Then the end
    comes when the handler has returned, on a thread that can wait for that.
    """
    got: list[bool] = []
    try:
        got.extend(map(channel._lock.acquire, (True,), (_MOMENT_S,)))
        if got[0]:
            channel._lose(CLOSED_HERE)
        else:
            start_new_thread(_close_later, (channel,))
    finally:
        if got and got[0]:
            channel._lock.release()
    if channel._ended:
        hand_on(channel)
    if channel._hearing is not None:
        channel._hearing.tell()


def _close_later(channel: Channel) -> None:
    with channel._lock:
        channel._lose(CLOSED_HERE)
    hand_on(channel)


def end(channel: Channel, why: str, error: VirtprotoError | None, bytes_held: int) -> None:
    """End the connection and tell everybody: callers first, who asked to be told last."""
    # Before the other, which others go by who do not have the lock.
    channel._error = error
    if channel._closed is None and channel._road.carrier is not None:
        # Nobody is let in to use what has ended, so whoever wants the lock can wait this little.
        why = channel._road.hear(why)
    if channel._closed is None:
        channel._closed = why
    why = channel._closed
    # Who looks from now on sees it, should the rest of this be torn.
    channel._ended = True
    for waiter in tuple(channel._waiting.values()):
        if waiter.answer is None:
            waiter.answer = CallFailed(waiter.serial, end_of_call(channel, waiter, bytes_held))
    channel._session.close()
    channel._outgoing.clear()
    for serial in tuple(channel._carriers):
        channel._drop_carriers(serial)
    if channel._fds:
        from .descriptors import drop_collected

        drop_collected(channel)
    channel._hang_up()
    if channel._road.carrier is not None:
        channel._road.carrier.end()
    for waiter in (*channel._waiting.values(), *channel._followers):
        waiter.wake()
    channel._waiting.clear()
    _announce(channel, why, error)
    if channel._timed:
        from .timekeeper import leave

        leave(channel)


def _announce(channel: Channel, why: str, error: VirtprotoError | None) -> None:
    streams = list(channel._streams.values())
    channel._streams.clear()
    for stream in streams:
        stream.lose(why, error)
    listener, channel._listener = channel._listener, None
    reason = close_reason(why, error)
    if listener is not None:
        listener.lose(reason)
    for waker in tuple(channel._wakers):
        waker.wake()
    mourners, channel._mourners = channel._mourners, []
    if why is not CLOSED_HERE:
        for mourner in mourners:
            mourner(why, error, reason)


def end_of_call(channel: Channel, waiter: Waiter, bytes_held: int = 0) -> VirtprotoError:
    """Return the error for who waits, or was sending, when the connection ends."""
    why, error, procedure = channel._closed, channel._error, waiter.procedure
    assert why is not None
    left = not channel._session.is_held(waiter.serial) and not any(
        serial == waiter.serial and not counts for _, counts, serial in channel._outgoing
    )
    if why is CLOSED_HERE:
        closed = closed_during(procedure)
        closed.may_have_run = procedure is not None and left
        return closed
    if procedure is None:
        return repeated(error) if error is not None else lost(None, why)
    if waiter.serial < 0:
        return refused(why)
    if error is not None:
        return lost_by(procedure, error, may_have_run=left)
    return lost(procedure, why, bytes_held, may_have_run=left)
