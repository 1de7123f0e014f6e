"""Measures the memory that something takes; shared by the tests of hostile counts and lengths."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

__all__ = ["peak_memory"]


def peak_memory(act: Callable[[], object]) -> int:
    """Return the bytes allocated at the worst moment of ``act``, which runs more than once.

    What Python or a module sets up when first used belongs to no run: the first is not measured,
    and of the others the smaller counts.
    """
    act()
    peaks = []
    for _ in range(2):
        tracemalloc.start()
        try:
            act()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(peaks)
