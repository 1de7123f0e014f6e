"""How a thread waits for an iterator's next event.

Responsible for reading meanwhile, for waking who waits, for leaving unread what a full queue is not
to grow by, and for letting go of an iterator that nobody has. A friend of `waiting`. Does for
threads what its namesake does in an event loop.
"""

from __future__ import annotations

from time import monotonic

from virtproto.errors import DeadlineError, TransportError
from virtproto.model.refs import shown_seconds
from virtproto.model.replies import INHERITED, refused
from virtproto.transport.deadline import time_left

from .waiting import Waker, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.event_queue import EventQueue

    from .channel import Channel
    from .delivery import Delivery
    from .living import LivingCalls

__all__ = ["EventEnd", "NoMoreEvents"]

# Who waits for others to read, or to bring another channel, looks again so often: a wake-up that
# was lost heals itself.
_LOOK_AGAIN_S = 1.0

# What ends a loop.
NoMoreEvents = StopIteration


class EventEnd:
    """The front end's side of one iterator's queue."""

    def __init__(self, queue: EventQueue, delivery: Delivery) -> None:
        self._queue = queue
        self._delivery = delivery
        self._waiting: list[Waker] = []
        # One waker is kept, and for which channel it is.
        self._spare: tuple[Channel, Waker] | None = None
        queue.on_news = self._rouse
        queue.on_room = delivery.make_room

    def wait(self, connection: LivingCalls, until: float | None, timeout_s: float | None) -> None:
        """Wait until something is in the queue, or it has ended; read meanwhile.

        ``until`` is when to give up, by the monotonic clock, and ``timeout_s`` what was asked for.
        Raises DeadlineError, and ConnectionClosedError in a forked process.
        """
        channel = connection._channel
        left = time_left(None if until is None else until - monotonic())
        until = None if left is None else monotonic() + left
        spare, self._spare = self._spare, None
        waker = spare[1] if spare is not None and spare[0] is channel else Waker(channel._sock)
        try:
            self._waiting.append(waker)
            self._queue.awaited = True
            channel._wakers.append(waker)
            while not self._ready():
                if connection._channel is not channel:
                    # Another one has come in its place, and woke those whom it found here.
                    return
                if until is not None and monotonic() >= until:
                    limit = max(0.0, left or 0.0) if timeout_s is None else timeout_s
                    raise DeadlineError(f"no event within {shown_seconds(limit)} s")
                self._watch(channel, waker, None if until is None else until - monotonic())
        finally:
            # Whatever a signal tore, and if it comes only now.
            try:
                if waker in channel._wakers:
                    channel._wakers.remove(waker)
            finally:
                if waker in self._waiting:
                    self._waiting.remove(waker)
            self._queue.awaited = bool(self._waiting)
            # It has descriptors, which nobody needs after the last event.
            self._spare = None if self._queue.ended else (channel, waker)

    def _ready(self) -> bool:
        return bool(self._queue) or self._queue.ended

    def _watch(self, channel: Channel, waker: Waker, left: float | None) -> None:
        if channel._closed is INHERITED:
            raise refused(INHERITED)
        try:
            if channel._closed is None and not channel._is_crowded:
                watch(channel, waker, self._ready, left)
                return
        except TransportError:
            # The queue has been told, unless another channel is to come.
            pass
        if not self._ready():
            waker.asleep = True
            try:
                if not self._ready():
                    left = _LOOK_AGAIN_S if left is None else min(left, _LOOK_AGAIN_S)
                    waker.sleep(left, alone=True)
            finally:
                waker.asleep = False

    def close(self) -> None:
        """Give back what was kept for the next wait."""
        self._spare = None

    def forget(self) -> None:
        """Have nothing more kept, as nobody has the iterator any more. On any thread."""
        self._spare = None
        self._delivery.forget(self._queue)

    def _rouse(self) -> None:
        for waker in tuple(self._waiting):
            if waker.asleep:
                waker.wake()
