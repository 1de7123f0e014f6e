"""When two answers are alike: equal, but for numbers that move while one party asks after another.

Responsible for the tolerances, each of which is stated, with the places it is for, by the
comparison that uses it. It must not know what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import ndiff
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["Likeness", "equal", "rising", "varying", "within"]

# Takes an earlier number and a later one.
_Numbers = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Likeness:
    """What two answers may differ in: numbers at stated places, and nothing else.

    A place is the keys and positions that lead to it, as "0/cpu_time"; in a stated one * stands for
    any text. The answer itself is at "". ``one | another`` has the tolerances of both.
    """

    tolerances: tuple[tuple[str, _Numbers], ...] = ()

    def __or__(self, other: Likeness) -> Likeness:
        return Likeness(self.tolerances + other.tolerances)

    def __call__(self, earlier: Any, later: Any) -> str | None:
        """Return what differs, or None."""
        return self._walk(earlier, later, "")

    def _walk(self, a: Any, b: Any, place: str) -> str | None:
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                odd = sorted(map(str, a.keys() ^ b.keys()))
                return f"{_shown(place)}: one side only has {odd}"
            pairs = [(a[key], b[key], key) for key in a]
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return f"{_shown(place)}: {len(a)} items against {len(b)}: {a!r} and {b!r}"
            pairs = [(x, y, i) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        elif isinstance(a, str) and isinstance(b, str) and "\n" in a:
            lines = ndiff(a.splitlines(), b.splitlines())
            return "\n".join(line for line in lines if line[0] in "+-") or None
        else:
            alike = a == b or (_is_number(a) and _is_number(b) and self._allows(a, b, place))
            return None if alike else f"{_shown(place)}: {a!r} and {b!r}"
        found = (self._walk(x, y, f"{place}/{key}" if place else str(key)) for x, y, key in pairs)
        return next((text for text in found if text), None)

    def _allows(self, a: Any, b: Any, place: str) -> bool:
        return any(fnmatchcase(place, stated) and like(a, b) for stated, like in self.tolerances)


def rising(*places: str) -> Likeness:
    """Return what lets the counters at these places have grown."""
    return Likeness(tuple((place, lambda a, b: bool(a <= b)) for place in places))


def varying(*places: str) -> Likeness:
    """Return what lets the gauges at these places have any value of the same type."""
    return Likeness(tuple((place, lambda a, b: type(a) is type(b)) for place in places))


def within(tolerance: float, *places: str) -> Likeness:
    """Return what lets these differ by ``tolerance`` at most: the answer itself, or its places."""
    near: _Numbers = lambda a, b: bool(abs(a - b) <= tolerance)  # noqa: E731
    return Likeness(tuple((place, near) for place in places or ("",)))


equal = Likeness()


def _shown(place: str) -> str:
    return place or "the answer"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
