"""Columns of text.

Responsible for widths and for names that would upset a terminal. Must not know what is shown.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["columns", "lines", "visible"]


def visible(text: str) -> str:
    """Return ``text`` with control characters and the like written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes, which is visible."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yield the lines of a table, the heading first; the last column is not padded."""
    table = [list(head), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    for row in table:
        pairs = zip(row, widths, strict=True)
        cells = [cell + " " * (width - columns(cell)) for cell, width in pairs]
        yield "  ".join(cells).rstrip()
