"""TCP put together again: two directions' bytes in order, and what of them was not captured.

Responsible for segments that come twice, overlap, come out of order or not at all, for numbers that
wrap around, and for captures that begin midway. Nothing that segments can say is an error here.
Must not know what the bytes are.

A byte that one side sent after it had read another is never told before that other one: segments
wait until what their acknowledgement says has come was told as well. What does not come is waited
for, but not for ever (_PATIENCE segments where the other side has it, _MOST_HELD bytes where it may
be sent again), and then told as a gap.
"""

from __future__ import annotations

from bisect import insort
from operator import itemgetter

from virtproto.trace.reading.frames import ACK, FIN, RST, SYN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtproto.trace.reading.frames import Segment

    Told = tuple[str, bool, float, bytes | int | str]

__all__ = ["DATA", "ENDED", "GAP", "Reassembly"]

# What `Reassembly` tells of a direction: (what, from the first side?, time, value). The value is
# the bytes, how many are missing, or why it ended.
DATA, GAP, ENDED = "data", "gap", "ended"

_PATIENCE = 64
_MOST_HELD = 16 << 20
# Segments that wait without data to speak of would cost memory as well.
_MOST_WAITING = 16384

# What one takes beside its bytes, about.
_SEGMENT_SIZE = 400

_MODULUS = 1 << 32

# A beginning that is captured late stands so little before what was seen already.
_LATE = 1 << 16


class _Direction:
    """What one side sends; positions count from its first byte, and do not wrap around."""

    __slots__ = ("ended", "fin", "held", "is_heard", "next", "start", "waiting")

    def __init__(self) -> None:
        # The number of the byte at position 0, None before anything was seen.
        self.start: int | None = None
        self.next = 0
        # Position, acknowledged position of the other side, and the segment.
        self.waiting: list[tuple[int, int, Segment]] = []
        self.held = 0
        self.fin: int | None = None
        self.ended = False
        # Whether the capture has this side, and not the other's acknowledgements only.
        self.is_heard = False

    def position(self, number: int) -> int:
        """Return the position nearest to what was told that has the sequence ``number``."""
        assert self.start is not None
        ahead = (number - self.start - self.next) % _MODULUS
        return self.next + (ahead if ahead < _MODULUS // 2 else ahead - _MODULUS)


class Reassembly:
    """One connection of TCP; its first side is whichever is told so when it begins."""

    def __init__(self) -> None:
        self._sides = (_Direction(), _Direction())
        self._impatience = 0
        self._time_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether both directions have ended."""
        return self._sides[0].ended and self._sides[1].ended

    @property
    def held(self) -> int:
        """How many bytes of memory it takes for what waits, about."""
        return sum(each.held + _SEGMENT_SIZE * len(each.waiting) for each in self._sides)

    def begins_anew(self, segment: Segment, *, first: bool) -> bool:
        """Return whether ``segment`` begins another connection between the same addresses."""
        side = self._sides[not first]
        if not segment.flags & SYN or side.start is None:
            return False
        # One that is late comes before what was seen, one that is sent again is the first there;
        # those who use addresses again go on with greater numbers.
        before = (side.start - segment.seq - 1) % _MODULUS
        return before > _LATE

    def add(self, segment: Segment, *, first: bool) -> Iterator[Told]:
        """Take one segment, of the first side or the other; yield what can be told now."""
        mine, other = self._sides[not first], self._sides[first]
        self._time_s = segment.time_s
        number = segment.seq
        if segment.flags & SYN:
            number = (number + 1) % _MODULUS
            mine.is_heard = True
        if mine.start is None:
            mine.start = number
        acknowledged = 0
        if segment.flags & ACK:
            if other.start is None:
                # The other side's beginning was not captured: what it sends next is this byte.
                other.start = segment.ack
            acknowledged = other.position(segment.ack)
        self._keep(mine, mine.position(number), acknowledged, segment)
        yield from self._tell()
        if segment.flags & RST:
            yield from self.finish("the connection was reset")
        elif mine.waiting or other.waiting or acknowledged > other.next:
            yield from self._wait(acknowledged, other)
        else:
            self._impatience = 0

    def finish(self, why: str) -> Iterator[Told]:
        """Yield what is left, gaps and the ends of both directions included, which end ``why``."""
        while any(side.waiting for side in self._sides):
            yield from self._give_up()
        for side in self._sides:
            if side.fin is not None and side.fin > side.next:
                yield GAP, side is self._sides[0], self._time_s, side.fin - side.next
                side.next = side.fin
            if not side.ended:
                side.ended = True
                yield ENDED, side is self._sides[0], self._time_s, why

    def _keep(self, side: _Direction, position: int, acknowledged: int, segment: Segment) -> None:
        end = position + len(segment.data) + segment.missing
        if segment.flags & FIN and side.fin is None:
            side.fin = end
        if end > side.next and (segment.data or segment.missing):
            side.is_heard = True
            side.held += len(segment.data)
            insort(side.waiting, (position, acknowledged, segment), key=itemgetter(0))

    def _tell(self, *, heed: bool = True) -> Iterator[Told]:
        """Yield what is next of both directions, as long as there is any.

        With ``heed``, nothing is told that was sent after something that is still to come.
        """
        told = True
        while told:
            told = False
            for side, other in (self._sides, self._sides[::-1]):
                while side.waiting:
                    position, acknowledged, _ = side.waiting[0]
                    if position > side.next:
                        break
                    if heed and other.is_heard and acknowledged > other.next:
                        break
                    told = True
                    yield from self._take(side)
                if side.fin is not None and side.next >= side.fin and not side.ended:
                    side.ended = True
                    yield ENDED, side is self._sides[0], self._time_s, ""

    def _take(self, side: _Direction) -> Iterator[Told]:
        """Yield what the first waiting segment of ``side`` adds to what was told."""
        position, _, segment = side.waiting.pop(0)
        side.held -= len(segment.data)
        first = side is self._sides[0]
        data = segment.data[max(side.next - position, 0) :]
        if data:
            side.next += len(data)
            yield DATA, first, segment.time_s, data
        end = position + len(segment.data) + segment.missing
        if segment.missing and end > side.next:
            yield GAP, first, segment.time_s, end - side.next
            side.next = end

    def _wait(self, acknowledged: int, other: _Direction) -> Iterator[Told]:
        """Go on without what is missing, where it is not to be expected any more."""
        self._impatience += 1
        lost = other.is_heard and acknowledged > other.next
        for side, opposite in (self._sides, self._sides[::-1]):
            if side.held > _MOST_HELD or len(side.waiting) > _MOST_WAITING:
                lost = True
                self._impatience = _PATIENCE
            # What the other side had in hand when it sent something is not sent again.
            lost = lost or any(each[1] > opposite.next for each in side.waiting[:1])
        if lost and self._impatience >= _PATIENCE:
            self._impatience = 0
            yield from self._give_up()

    def _give_up(self) -> Iterator[Told]:
        """Tell the nearest gap, and what is behind it."""
        for side, other in (self._sides, self._sides[::-1]):
            waiting = side.waiting
            if waiting and waiting[0][0] <= side.next:
                # It waits for the other side only: for what was acknowledged, and never came.
                _, acknowledged, segment = waiting[0]
                missed = min([acknowledged, *(each[0] for each in other.waiting[:1])])
                if missed > other.next:
                    yield GAP, other is self._sides[0], segment.time_s, missed - other.next
                    other.next = missed
                    yield from self._tell()
                else:
                    yield from self._tell(heed=False)
                return
        for side in self._sides:
            if side.waiting:
                position, _, segment = side.waiting[0]
                yield GAP, side is self._sides[0], segment.time_s, position - side.next
                side.next = position
                yield from self._tell()
                return
