"""Events that came for one iterator and were not taken yet: their order, their bound, their end.

Responsible for what happens when more comes than is taken, and for what is counted then, in both
colours. Must not know what an event holds, how it arrives, or how somebody waits for one.

One thread takes and another puts at the same time: what is done for each event is one step of a
deque, and needs no lock; what is rare has one.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from virtproto.errors import EventOverflowError, UsageError
from virtproto.model.arguments import to_int
from virtproto.model.replies import INHERITED, refused
from virtproto.protocol.events import EventReceived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, TypedDict

    from virtproto.errors import VirtprotoError

    class EventOptions(TypedDict, total=False):
        """How to iterate over events, for type checkers; see a connection's ``events``."""

        about: object
        limit: int
        overflow: Overflow | str


__all__ = ["EventQueue", "Overflow", "to_limit", "to_overflow"]


class Overflow(StrEnum):
    """What becomes of an event that finds its iterator's queue full."""

    # The oldest event makes room, and is counted.
    DROP_OLDEST = "drop-oldest"
    # Nothing is lost: the connection reads no more until half of the queue is taken.
    BLOCK = "block"
    # The iterator gives what it has kept, and then raises EventOverflowError.
    RAISE = "raise"


def to_overflow(name: str, value: Overflow | str) -> Overflow:
    """Return the policy that an argument names. Raises UsageError."""
    try:
        return Overflow(value)
    except ValueError:
        known = ", ".join(repr(each.value) for each in Overflow)
        raise UsageError(f"{name}: {value!r} is none of {known}") from None


def to_limit(name: str, value: int) -> int:
    """Return how many events a queue keeps. Raises UsageError for less than one."""
    limit = to_int(name, value)
    if limit < 1:
        raise UsageError(f"{name}: {limit} is less than 1")
    return limit


class EventQueue:
    """What one iterator has still to give.

    ``dropped`` counts the events that were not kept. ``crowded`` says that nothing more should be
    read on its account. ``ended``: nothing comes any more, because of ``error`` if there is one.
    """

    __slots__ = (
        "_entries",
        "_limit",
        "_lock",
        "_marks",
        "_overflow",
        "awaited",
        "crowded",
        "dropped",
        "ended",
        "error",
        "on_crowd",
        "on_news",
        "on_room",
    )

    def __init__(self, limit: int, overflow: Overflow, lock: AbstractContextManager[Any]) -> None:
        self._limit = limit
        self._overflow = overflow
        self._lock = lock
        self._entries: deque[Any] = deque()
        # How many of the entries are no events: those are never dropped.
        self._marks = 0
        self.dropped = 0
        self.crowded = False
        self.ended = False
        self.error: VirtprotoError | None = None
        # True while somebody waits; then ``on_news`` is called for what comes, and must only take
        # note. ``on_crowd`` is called for each event that comes while the queue is crowded, and
        # ``on_room`` when it is so no more.
        self.awaited = False
        self.on_news: Callable[[], object] = _nothing
        self.on_crowd: Callable[[], object] = _nothing
        self.on_room: Callable[[], object] = _nothing

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, event: EventReceived) -> None:
        """Take in an event, or do with it what the policy says."""
        entries = self._entries
        if (len(entries) >= self._limit or self.ended) and not self._make_room():
            return
        entries.append(event)
        if self.awaited:
            self.on_news()

    def mark(self, mark: object) -> None:
        """Take in something between two events, which is kept however full the queue is."""
        if self.ended:
            return
        with self._lock:
            self._marks += 1
            self._entries.append(mark)
        if self.awaited:
            self.on_news()

    def take(self) -> Any:
        """Return what came first and was not taken yet, None where there is nothing."""
        if self._marks:
            return self._take_behind_marks()
        try:
            entry = self._entries.popleft()
        except IndexError:
            return None
        if self.crowded:
            self._relieve()
        return entry

    def end(self, error: VirtprotoError | None = None) -> None:
        """Have nothing more come; what was kept can still be taken. The first end counts."""
        with self._lock:
            if not self.ended:
                self.error = error
                self.ended = True
        if self.crowded:
            self.crowded = False
            self.on_room()
        if self.awaited:
            self.on_news()

    def clear(self) -> None:
        """Forget what was kept."""
        with self._lock:
            self._entries.clear()
            self._marks = 0
        if self.crowded:
            self._relieve()

    def abandon(self) -> None:
        """Keep nothing more, for nobody. Takes no lock: it may be called between any two lines."""
        self.ended = True
        self._entries.clear()
        if self.crowded:
            self._relieve()

    def leave_to_parent(self) -> None:
        """In a forked process: give nothing more. Takes no lock: its owner may not be there."""
        self.error = refused(INHERITED)
        self.ended = True
        self._entries.clear()

    def _make_room(self) -> bool:
        """Do what is done for an event too many; return whether to keep it."""
        if self.ended:
            if isinstance(self.error, EventOverflowError):
                self.dropped += 1
            return False
        if self._overflow is Overflow.BLOCK:
            self.crowded = True
            self.on_crowd()
            return True
        if self._overflow is Overflow.RAISE:
            self.dropped += 1
            self.end(EventOverflowError(f"more than {self._limit} events came and were not taken"))
            return False
        with self._lock:
            self._drop_oldest()
        return True

    def _drop_oldest(self) -> None:
        entries = self._entries
        if not self._marks:
            if entries:
                # Else all was taken just now.
                entries.popleft()
                self.dropped += 1
            return
        for index, entry in enumerate(entries):
            if isinstance(entry, EventReceived):
                del entries[index]
                self.dropped += 1
                return

    def _take_behind_marks(self) -> Any:
        with self._lock:
            try:
                entry = self._entries.popleft()
            except IndexError:
                return None
            if not isinstance(entry, EventReceived):
                self._marks -= 1
        if self.crowded:
            self._relieve()
        return entry

    def _relieve(self) -> None:
        """Have reading go on once there is room for as much again."""
        if len(self._entries) <= self._limit // 2:
            self.crowded = False
            self.on_room()


def _nothing() -> None:
    """Tell nobody."""
