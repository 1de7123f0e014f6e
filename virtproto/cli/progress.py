"""A bar that shows how far something has come, how fast it goes, and how long it will take.

Responsible for one line of a terminal, on stderr, written over and over; nothing is shown where
stderr is none. Must not know what is counted, other than that it is bytes.
"""

from __future__ import annotations

import shutil
import sys
from collections import deque
from contextlib import suppress
from time import monotonic

from virtproto.cli.sizes import show_size, show_time
from virtproto.cli.table import columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["ProgressBar", "draw"]

_BAR_MIN, _BAR_MAX = 10, 40
# The rate is that of the last seconds, so that it says something about those to come.
_LOOK_BACK_S = 5.0


class ProgressBar:
    """The line, as a context manager around what is done; ``update`` is to be called now and then.

    ``shown`` says whether there is one at all.
    """

    def __init__(self, label: str, *, shown: bool) -> None:
        self._label = label
        self._shown = shown and _is_terminal()
        self._started = monotonic()
        self._marks: deque[tuple[float, int]] = deque()
        self._length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._length:
            self._write("\n")

    def update(self, done: int, total: int | None) -> None:
        """Show that ``done`` bytes are done; ``total`` is None where only the end will tell."""
        if not self._shown:
            return
        now = monotonic()
        self._marks.append((now, done))
        while now - self._marks[0][0] > _LOOK_BACK_S and len(self._marks) > 2:
            self._marks.popleft()
        if done == total:
            rate = _rate((self._started, 0), (now, done))
            time_s: float | None = now - self._started
        else:
            rate = _rate(self._marks[0], (now, done))
            time_s = (total - done) / rate if rate and total is not None else None
        # A line that reaches the last column would go on in the next one.
        width = shutil.get_terminal_size().columns - 1
        line = draw(self._label, done, total, rate, time_s, width)
        length = columns(line)
        # What was longer before leaves nothing behind.
        self._write(f"\r{line}{' ' * (self._length - length)}")
        self._length = length

    def _write(self, text: str) -> None:
        # Where stderr cannot be written to, what is done goes on.
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def draw(
    label: str, done: int, total: int | None, rate: float, time_s: float | None, width: int
) -> str:
    """Return the line, of at most ``width`` columns; ``time_s`` is the time left, or at last taken.

    What there is no room for is left out: first the bar, then the label.
    """
    parts = [show_size(done)]
    if total is not None:
        # All of nothing is done.
        share = done / total if total else 1.0
        parts = [f"{min(int(share * 100), 100):3}%", f"{show_size(done)} of {show_size(total)}"]
    if rate:
        parts.append(f"{show_size(rate)}/s")
    if time_s is not None:
        shown = show_time(time_s)
        parts.append(f"in {shown}" if done == total else f"{shown} left")
    room = width - columns("  ".join([label, *parts])) - len("  []")
    if total is not None and room >= _BAR_MIN:
        size = min(room, _BAR_MAX)
        full = int(share * size)
        parts.insert(1, f"[{'#' * full}{' ' * (size - full)}]")
    line = "  ".join([label, *parts])
    return line if columns(line) <= width else "  ".join(parts)[: max(width, 0)]


def _rate(first: tuple[float, int], last: tuple[float, int]) -> float:
    """Return bytes a second between two moments, 0 where they are too near."""
    seconds = last[0] - first[0]
    return (last[1] - first[1]) / seconds if seconds > 0 else 0.0


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except ValueError:
        return False
