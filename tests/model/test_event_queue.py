"""What an iterator keeps: order, bounds, policies, marks and the end, whatever comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    ConnectionLostError,
    EventOverflowError,
    UsageError,
)
from virtproto.model.event_queue import EventQueue, Overflow, to_limit, to_overflow
from virtproto.protocol.events import EventReceived

MARK = "a mark"


def event(number: int) -> EventReceived:
    return EventReceived(1, number, b"")


def queue_of(limit: int, overflow: Overflow = Overflow.DROP_OLDEST) -> EventQueue:
    return EventQueue(limit, overflow, nullcontext())


def drained(queue: EventQueue) -> list[Any]:
    """Take all, as numbers and marks."""
    found = []
    while (entry := queue.take()) is not None:
        found.append(entry.procedure if isinstance(entry, EventReceived) else entry)
    return found


# What happens to a queue: an event, a mark, or that somebody takes.
STEPS = st.lists(st.sampled_from(["put", "put", "put", "take", "mark"]), max_size=80)


@given(steps=STEPS, limit=st.integers(1, 8), overflow=st.sampled_from(Overflow))
def test_everything_is_given_or_counted_and_in_order(
    steps: list[str], limit: int, overflow: Overflow
) -> None:
    queue = queue_of(limit, overflow)
    sent, marks = 0, 0
    got: list[Any] = []
    for step in steps:
        if step == "put":
            queue.put(event(sent))
            sent += 1
        elif step == "mark":
            marks += not queue.ended
            queue.mark(MARK)
        else:
            entry = queue.take()
            if entry is not None:
                got.append(entry.procedure if isinstance(entry, EventReceived) else entry)
        if overflow is not Overflow.BLOCK:
            assert len(queue) <= limit + marks
    got += drained(queue)
    numbers = [each for each in got if each is not MARK]
    assert numbers == sorted(numbers)
    assert len(numbers) + queue.dropped == sent
    assert got.count(MARK) == marks
    if overflow is Overflow.BLOCK:
        assert queue.dropped == 0
    if overflow is Overflow.RAISE:
        assert numbers == list(range(len(numbers)))
        assert queue.ended == (queue.dropped > 0)
        assert isinstance(queue.error, EventOverflowError) == queue.ended


@given(before=st.integers(0, 20), after=st.integers(0, 20), limit=st.integers(1, 8))
def test_a_mark_stands_before_everything_that_came_later(
    before: int, after: int, limit: int
) -> None:
    queue = queue_of(limit)
    for number in range(before):
        queue.put(event(number))
    queue.mark(MARK)
    for number in range(after):
        queue.put(event(100 + number))
    got = drained(queue)
    place = got.index(MARK)
    assert all(number < 100 for number in got[:place])
    assert all(number >= 100 for number in got[place + 1 :])
    assert len(got) - 1 + queue.dropped == before + after


def test_a_blocking_queue_is_crowded_until_half_of_it_is_taken() -> None:
    queue = queue_of(4, Overflow.BLOCK)
    told: list[str] = []
    queue.on_crowd = lambda: told.append("crowd")
    queue.on_room = lambda: told.append("room")
    for number in range(4):
        queue.put(event(number))
    assert (queue.crowded, told) == (False, [])
    queue.put(event(4))
    assert (queue.crowded, told) == (True, ["crowd"])
    queue.put(event(5))
    for _ in range(3):
        queue.take()
    assert queue.crowded
    queue.take()
    assert (queue.crowded, told) == (False, ["crowd", "crowd", "room"])
    assert drained(queue) == [4, 5]


@pytest.mark.parametrize("way", ["clear", "end", "abandon"])
def test_a_crowded_queue_that_is_done_with_holds_nobody_up(way: str) -> None:
    queue = queue_of(1, Overflow.BLOCK)
    rooms: list[int] = []
    queue.on_room = lambda: rooms.append(1)
    queue.put(event(0))
    queue.put(event(1))
    assert queue.crowded
    getattr(queue, way)()
    assert not queue.crowded
    assert rooms == [1]


def test_the_first_end_counts_and_leaves_what_was_kept() -> None:
    queue = queue_of(5)
    queue.put(event(0))
    error = ConnectionLostError("gone")
    queue.end(error)
    queue.end(None)
    queue.put(event(1))
    queue.mark(MARK)
    assert queue.ended
    assert queue.error is error
    assert drained(queue) == [0]
    assert queue.dropped == 0


def test_who_waits_is_told_of_everything_that_comes() -> None:
    told: list[int] = []

    def tell(queue: EventQueue) -> Callable[[], object]:
        return lambda: told.append(len(queue))

    queue = queue_of(5)
    queue.on_news = tell(queue)
    queue.put(event(0))
    assert told == []
    queue.awaited = True
    queue.put(event(1))
    queue.mark(MARK)
    queue.end()
    assert told == [2, 3, 3]


def test_a_forked_process_gets_nothing() -> None:
    lock = threading.Lock()
    queue = EventQueue(5, Overflow.DROP_OLDEST, lock)
    queue.put(event(0))
    # As left behind by a thread that is not there.
    lock.acquire()
    queue.leave_to_parent()
    assert queue.take() is None
    assert queue.ended
    assert isinstance(queue.error, ConnectionClosedError)


def test_nothing_is_lost_between_two_threads() -> None:
    queue = EventQueue(10, Overflow.DROP_OLDEST, threading.Lock())
    count = 20_000
    done = threading.Event()

    def feed() -> None:
        for number in range(count):
            queue.put(event(number))
            if number % 1000 == 0:
                queue.mark(MARK)
        done.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    got: list[Any] = []
    while not done.is_set():
        got += drained(queue)
    feeder.join()
    got += drained(queue)
    numbers = [each for each in got if each is not MARK]
    assert numbers == sorted(numbers)
    assert len(numbers) + queue.dropped == count
    assert got.count(MARK) == count // 1000


def test_arguments_are_named() -> None:
    assert to_overflow("overflow", "block") is Overflow.BLOCK
    assert to_overflow("overflow", Overflow.RAISE) is Overflow.RAISE
    with pytest.raises(UsageError, match=r"^overflow: 'newest' is none of 'drop-oldest', 'block'"):
        to_overflow("overflow", "newest")
    assert to_limit("limit", 1) == 1
    with pytest.raises(UsageError, match=r"^limit: 0 is less than 1"):
        to_limit("limit", 0)
    wrong: Any = "5"
    with pytest.raises(ArgumentTypeError, match=r"^limit: "):
        to_limit("limit", wrong)
