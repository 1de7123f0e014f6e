"""When two answers are alike: equal, or, where time has passed between them, as alike as can be.

Responsible for the tolerances, each of which is stated by the comparison that uses it. It must not
know what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import ndiff
from typing import Any

__all__ = ["Likeness", "equal", "rising", "same_shape", "within"]

# Takes the earlier answer and the later one; returns what differs, or None.
Likeness = Callable[[Any, Any], str | None]


def equal(earlier: Any, later: Any) -> str | None:
    """Nothing may differ."""
    return _walk(earlier, later, "", lambda a, b: a == b)


def rising(earlier: Any, later: Any) -> str | None:
    """Counters: a number may have grown, all else is equal."""
    return _walk(earlier, later, "", lambda a, b: a <= b)


def same_shape(earlier: Any, later: Any) -> str | None:
    """Gauges: any number may stand for any other, all else is equal, and so are the keys."""
    return _walk(earlier, later, "", lambda a, b: type(a) is type(b))


def within(tolerance: float) -> Likeness:
    """Return what lets numbers differ by ``tolerance`` at most, all else being equal."""
    return lambda earlier, later: _walk(earlier, later, "", lambda a, b: abs(a - b) <= tolerance)


def _walk(a: Any, b: Any, where: str, numbers: Callable[[Any, Any], bool]) -> str | None:
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            odd = sorted(map(str, a.keys() ^ b.keys()))
            return f"{where or 'the answer'}: one side only has {odd}"
        pairs = [(a[key], b[key], f"{where}[{key!r}]") for key in a]
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{where or 'the answer'}: {len(a)} items against {len(b)}: {a!r} and {b!r}"
        pairs = [(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True))]
    elif _is_number(a) and _is_number(b):
        return None if numbers(a, b) else f"{where or 'the answer'}: {a!r} and {b!r}"
    elif isinstance(a, str) and isinstance(b, str) and "\n" in a:
        lines = ndiff(a.splitlines(), b.splitlines())
        return "\n".join(line for line in lines if line[0] in "+-") or None
    else:
        return None if a == b else f"{where or 'the answer'}: {a!r} and {b!r}"
    found = (_walk(x, y, at, numbers) for x, y, at in pairs)
    return next((text for text in found if text), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
