"""How a task waits for an iterator's next event.

Responsible for waking who waits, for pausing the connection's reading where a queue is to be full
no more, and for letting go of an iterator that nobody has. Does in an event loop what its namesake
does for threads.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from virtproto.errors import DeadlineError
from virtproto.model.refs import shown_seconds
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.event_queue import EventQueue

    from .delivery import Delivery
    from .living import LivingCalls

__all__ = ["EventEnd", "NoMoreEvents"]

# What ends a loop.
NoMoreEvents = StopAsyncIteration


class EventEnd:
    """The front end's side of one iterator's queue."""

    def __init__(self, queue: EventQueue, delivery: Delivery) -> None:
        self._queue = queue
        self._delivery = delivery
        self._waiting: list[asyncio.Future[None]] = []
        queue.on_news = self._rouse
        queue.on_crowd = delivery.crowd
        queue.on_room = delivery.make_room

    async def wait(
        self, connection: LivingCalls, until: float | None, timeout_s: float | None
    ) -> None:
        """Wait until something is in the queue, or it has ended.

        ``until`` is when to give up, by the monotonic clock, and ``timeout_s`` what was asked for.
        Raises DeadlineError, and UsageError outside the connection's event loop.
        """
        queue = self._queue
        channel = connection._channel
        if channel._closed is None:
            channel._require_usable()
        left = time_left(None if until is None else until - monotonic())
        turn = channel._loop.create_future()
        self._waiting.append(turn)
        queue.awaited = True
        try:
            if queue or queue.ended:
                return
            if left is None:
                await turn
            else:
                async with asyncio.timeout(max(left, 0)):
                    await turn
        except TimeoutError:
            limit = max(0.0, left or 0.0) if timeout_s is None else timeout_s
            raise DeadlineError(f"no event within {shown_seconds(limit)} s") from None
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            queue.awaited = bool(self._waiting)

    def close(self) -> None:
        """Give back what was kept for the next wait, which here is nothing."""

    def forget(self) -> None:
        """Have nothing more kept, as nobody has the iterator any more. On any thread."""
        self._delivery.forget(self._queue)

    def _rouse(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._queue.awaited = False
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
