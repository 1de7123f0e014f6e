"""Columns of text.

Responsible for widths and for names that would upset a terminal. Must not know what is shown.
"""

from __future__ import annotations

from virtproto.model.screen_text import columns, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["columns", "lines", "visible"]


def lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yield the lines of a table, the heading first; the last column is not padded."""
    table = [list(head), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    for row in table:
        pairs = zip(row, widths, strict=True)
        cells = [cell + " " * (width - columns(cell)) for cell, width in pairs]
        yield "  ".join(cells).rstrip()
