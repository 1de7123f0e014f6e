"""Whether a loop that waits looks again for a moment before it sleeps.

Responsible for when that is worth while. Must not know what is waited for.

Whoever asks and is answered waits for the proxy twice, and waking a process that sleeps takes
longer than all that is done there. So where the last wait was short the next one is not slept
through: one looks for as long as a daemon needs for a small answer. It is done only while nobody
else needs the processor.
"""

from __future__ import annotations

import os
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LookingAgain"]

# A wait up to this long is not slept through.
_LOOK_NS = 150_000
# If it took this long to look once, somebody else had the processor; so long it is left to them
# then, and longer each time that it happens again soon.
_TORN_NS = 200_000
_PAUSE_NS = 2_000_000_000
_PAUSE_MOST_NS = 60_000_000_000


class LookingAgain:
    """Waits in place of a poll that sleeps, where that has been shorter."""

    def __init__(self) -> None:
        self._may_look = len(os.sched_getaffinity(0)) > 1
        self._looks = False
        # From when on it is worth while, and how long it is not, once others need the processor.
        self._from_ns = 0
        self._pause_ns = _PAUSE_NS

    def wait(
        self, poll: Callable[[float], list[tuple[int, int]]], patience_s: Callable[[], float]
    ) -> list[tuple[int, int]]:
        """Return what ``poll`` finds within ``patience_s()``, asked when one has to sleep."""
        if self._looks:
            ready = self._look(poll)
            if ready:
                return ready
        limit_s = patience_s()
        began = monotonic_ns()
        ready = poll(limit_s)
        now = monotonic_ns()
        self._looks = self._may_look and now - began < _LOOK_NS and now > self._from_ns
        return ready

    def _look(self, poll: Callable[[float], list[tuple[int, int]]]) -> list[tuple[int, int]]:
        """Return what becomes ready within a moment, without sleeping; nothing if nothing does."""
        before = monotonic_ns()
        until = before + _LOOK_NS
        while True:
            ready = poll(0)
            now = monotonic_ns()
            if now - before > _TORN_NS:
                # Others want this processor, most likely those who are waited for.
                again = now - self._from_ns < 2 * self._pause_ns
                self._pause_ns = min(2 * self._pause_ns, _PAUSE_MOST_NS) if again else _PAUSE_NS
                self._from_ns = now + self._pause_ns
                self._looks = False
                return ready
            if ready or now > until:
                return ready
            before = now
