"""Times that are counted, in little memory however many they are.

Responsible for extremes, sums and percentiles. Must not know what took so long.
"""

from __future__ import annotations

from bisect import insort
from math import ceil, frexp

__all__ = ["Distribution"]

# So many are kept as they are; of more, each is known to a hundredth of itself.
_EXACT = 2048
_STEPS = 128


class Distribution:
    """Times in seconds; those below zero, of clocks that were set back, count as zero."""

    __slots__ = ("_buckets", "_kept", "count", "largest", "smallest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.smallest = 0.0
        self.largest = 0.0
        self._kept: list[float] | None = []
        self._buckets: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count one more."""
        value = max(value, 0.0)
        self.smallest = min(value, self.smallest) if self.count else value
        self.largest = max(value, self.largest)
        self.count += 1
        self.total += value
        if self._kept is None:
            self._put(value)
        else:
            insort(self._kept, value)
            if len(self._kept) > _EXACT:
                for each in self._kept:
                    self._put(each)
                self._kept = None

    def percentile(self, percent: float) -> float:
        """Return the time that so many percent did not take longer than; 0 if there are none."""
        if not self.count:
            return 0.0
        rank = max(1, ceil(self.count * percent / 100))
        if self._kept is not None:
            return self._kept[rank - 1]
        if rank == self.count:
            return self.largest
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(max(_middle(bucket), self.smallest), self.largest)
        return self.largest

    def _put(self, value: float) -> None:
        fraction, exponent = frexp(value)
        bucket = exponent * _STEPS + int((fraction - 0.5) * 2 * _STEPS)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1


def _middle(bucket: int) -> float:
    exponent, step = divmod(bucket, _STEPS)
    return float((0.5 + (step + 0.5) / (2 * _STEPS)) * 2.0**exponent)
