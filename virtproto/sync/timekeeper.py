"""Keepalive of all blocking connections: one thread that asks silent daemons for a sign of life.

Responsible for what has to happen on a connection while nobody uses it: what waits unread is taken
in about once a second (the daemon's own questions answered, its end noticed, events handed on), and
a daemon that says nothing is asked, and given up at last. Must not know what a connection is for.

The thread begins with the first connection that wants it and ends with the last. It knows them by
weak references, holds up nothing at the interpreter's end, and does not exist in a forked process.
Who waits for a reply reads for himself; the thread leaves the lead to him and keeps the time.
"""

from __future__ import annotations

import sys

# Below threading, which takes long to import.
from _thread import allocate_lock, start_new_thread
from _weakref import ref
from os import register_at_fork
from time import monotonic

from virtproto.errors import TransportError
from virtproto.protocol.events import SessionFailed
from virtproto.protocol.keepalive import PONG_PACKET

from .sending import push, take
from .waiting import Waiter, hand_on, seize, take_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["keep_time", "leave"]

_NAME = "virtproto timekeeper"
# How often what waits unread is taken in.
_BEAT_S = 1.0
# How soon it looks again where something was due and could not be done.
_SHORTEST_S = 0.001
# How many reads that is at most, and while streams have more than they should: what is behind their
# data comes late then, but it comes.
_READS = 64
_READS_WHEN_CROWDED = 4


class _Kept:
    """What the thread looks after, and whether there is one."""

    def __init__(self) -> None:
        # Guards ``thread``, so that it does not end while a connection comes.
        self.guard = allocate_lock()
        # Released to have the thread look again.
        self.alarm = allocate_lock()
        self.channels: set[ref[Channel]] = set()
        # What the thread is known by, None while there is none.
        self.thread: object = None


_kept = _Kept()


def keep_time(channel: Channel, interval_s: float, count: int) -> None:
    """Ask the daemon after ``interval_s`` seconds of silence, ``count`` times; 0 or less: never.

    Raises UsageError, ConnectionClosedError; TransportError where no thread can be had.
    """
    with channel._lock:
        channel._require_open()
        channel._session.enable_keepalive(interval_s, count, monotonic())
        channel._timed = interval_s > 0
    if not channel._timed:
        return
    _kept.channels.add(ref(channel, _forget))
    try:
        _begin()
    except TransportError:
        with channel._lock:
            channel._session.enable_keepalive(0, 0, 0)
            channel._timed = False
        raise
    # It looks at all connections whenever it wakes: not for each of many that are opened.
    if interval_s < _BEAT_S:
        _look_again()


def leave(channel: Channel) -> None:
    """Look after a connection no more."""
    _forget(ref(channel))


def _look_again() -> None:
    """Have the thread look what there is to do."""
    try:  # noqa: SIM105 - contextlib takes long to import
        _kept.alarm.release()
    except RuntimeError:
        # It is about to.
        pass


def _forget(reference: ref[Channel]) -> None:
    channels = _kept.channels
    channels.discard(reference)
    if not channels:
        # It ends with the last one.
        _look_again()


def _begin() -> None:
    """Start the thread unless it runs."""
    kept = _kept
    thread = object()
    with kept.guard:
        if kept.thread is not None:
            return
        try:
            # Where the program has threads that have names, this one has one too.
            threading = sys.modules.get("threading")
            if threading is None:
                start_new_thread(_run, (kept, thread))
            else:
                what = (kept, thread)
                threading.Thread(target=_run, args=what, name=_NAME, daemon=True).start()
        except RuntimeError as error:
            raise TransportError(f"no thread for keepalive: {error}") from error
        # Last: where a signal came before it there is none, as it finds out itself.
        kept.thread = thread


def _run(kept: _Kept, thread: object) -> None:
    with kept.guard:
        if kept.thread is not thread:
            return
    while True:
        left_s = _look_after_all(kept)
        with kept.guard:
            if not kept.channels:
                kept.thread = None
                return
        kept.alarm.acquire(True, max(left_s, _SHORTEST_S))


def _look_after_all(kept: _Kept) -> float:
    """Do what is due on every connection; return for how many seconds there is nothing more."""
    left_s = _BEAT_S
    for reference in tuple(kept.channels):
        channel = reference()
        if channel is None or channel._ended or not channel._timed:
            kept.channels.discard(reference)
            continue
        due = _look_after(channel)
        if due is not None:
            left_s = min(left_s, due - monotonic())
    return left_s


def _look_after(channel: Channel) -> float | None:
    """Do what is due on a connection; return when the next thing is."""
    if channel._closed is not None:
        # Whoever closes it looks after it.
        return None
    try:
        blocked = channel._is_blocked
        if not blocked or _has_hung_up(channel):
            _take_in_unread(channel, all_of_it=blocked)
        with channel._lock:
            if not channel._settled:
                channel._lose_torn()
            if blocked and not channel._ended:
                _judge_unread(channel)
            if not channel._ended:
                _tick(channel)
    except Exception as error:
        # The thread is everybody's, and has to go on.
        with channel._lock:
            channel._lose(f"keeping it alive failed: {error!r}")
    return channel._session.next_deadline()


def _take_in_unread(channel: Channel, *, all_of_it: bool) -> None:
    reader = Waiter()
    try:
        if channel._lead is None and seize(channel, reader):
            reads = _READS_WHEN_CROWDED if channel._is_crowded else _READS
            while reads and (all_of_it or not channel._is_blocked):
                if not take_in(channel, reader) or channel._followers:
                    return
                reads -= 1
    finally:
        if channel._lead is reader:
            channel._lead = None
            hand_on(channel)


def _has_hung_up(channel: Channel) -> bool:
    """Return whether a daemon is gone, and what it left to be read is not much."""
    # Loaded for iterators that are to lose nothing and are not taken from.
    from virtproto.transport.liveness import has_hung_up

    return has_hung_up(channel._sock)


def _judge_unread(channel: Channel) -> None:
    """See without reading whether a daemon lives: one that does takes in what it is sent.

    It has something to take in for the next time, which it does not mind, and which is the sign of
    life that it may have asked for in what is left unread. The caller has the lock.
    """
    from virtproto.transport.liveness import has_taken_all

    if channel._outgoing:
        return
    if has_taken_all(channel._sock):
        channel._session.note_life(monotonic())
    channel._outgoing.append((PONG_PACKET, [], -1))
    push(channel)


def _tick(channel: Channel) -> None:
    """Keep the time of keepalive. The caller has the lock."""
    session = channel._session
    due = session.next_deadline()
    if due is not None and monotonic() >= due:
        channel._settled = False
        session.tick(monotonic())
        for event in session.events_received():
            if isinstance(event, SessionFailed):
                channel._lose(f"it failed: {event.error}", event.error)
        if not channel._ended:
            take(channel)
        channel._settled = True
    if channel._outgoing and not channel._ended:
        push(channel)


def _start_afresh() -> None:
    """Forget, in a forked process, what is the parent's: its connections, its thread."""
    global _kept
    _kept = _Kept()


register_at_fork(after_in_child=_start_afresh)
