"""Colours and tables on a terminal, by rich; plain text everywhere else.

Responsible for whether an output gets colours, for what each style looks like, and for drawing
tables. Must not know what is shown.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from virtproto.cli.output import complain
from virtproto.cli.table import columns as columns_of
from virtproto.cli.table import lines, visible
from virtproto.errors import UsageError
from virtproto.model.screen_text import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from rich.console import Console
    from rich.table import Table

    from virtproto.trace.printing.summary_tables import Column, SummaryTable
    from virtproto.trace.printing.value_text import Span

__all__ = ["Painter", "print_table", "table_lines"]

# The terminal's own colours, which its user has chosen: what is wrong stands out, what is always
# the same steps back.
_LOOKS = {
    "time": "dim",
    "conversation": "bright_blue",
    "out": "cyan",
    "in": "green",
    "serial": "dim",
    "size": "dim",
    "latency": "",
    "slow": "yellow",
    "slower": "bold yellow",
    "call": "cyan",
    "ok": "green",
    "error": "bold red",
    "event": "magenta",
    "stream": "blue",
    "keepalive": "dim",
    "odd": "bold yellow",
    "note": "bright_blue",
    "program": "dim",
    "procedure": "bold",
    "key": "dim",
    "string": "",
    "number": "",
    "flag": "cyan",
    "secret": "magenta",
    "dim": "dim",
}

# What a column of words needs at least: it may go on below.
_SPOKEN = 30

_WITHOUT_RICH = "colours and columns take rich, which is not here: pip install 'virtproto[cli]'"


class Painter:
    """Turns spans into text for one output, coloured if that is wanted there.

    ``is_terminal`` tells whether somebody looks at it.
    """

    def __init__(self, stream: TextIO, color: str = "auto") -> None:
        """Look at an output; ``color`` is "auto", "always" or "never".

        Raises UsageError where colours are asked for and rich is missing.
        """
        self.is_terminal = _is_terminal(stream)
        self.console: Console | None = None
        self._codes: dict[str, tuple[str, str]] = {}
        wanted = color == "always" or (
            color == "auto" and self.is_terminal and not os.environ.get("NO_COLOR")
        )
        if wanted:
            self._begin(stream, forced=color == "always")

    def paint(self, spans: Sequence[Span]) -> str:
        """Return a line."""
        codes = self._codes
        if not codes:
            return "".join([text for text, _style in spans])
        parts = []
        for text, style in spans:
            code = codes.get(style)
            parts.append(text if code is None else f"{code[0]}{text}{code[1]}")
        return "".join(parts)

    def _begin(self, stream: TextIO, *, forced: bool) -> None:
        try:
            from rich.color import ColorSystem
            from rich.console import Console
            from rich.style import Style
        except ImportError:
            if forced:
                raise UsageError(_WITHOUT_RICH) from None
            complain(_WITHOUT_RICH)
            return
        # The terminal's own colours are among the first sixteen, which every kind of one has.
        self.console = Console(
            file=stream,
            force_terminal=True,
            color_system="standard" if forced or _has_colors() else None,
            no_color=False if forced else None,
            highlight=False,
            emoji=False,
            markup=False,
        )
        if self.console.color_system is None:
            return
        for name, look in _LOOKS.items():
            if look:
                painted = Style.parse(look).render("\0", color_system=ColorSystem.STANDARD)
                start, _, end = painted.partition("\0")
                self._codes[name] = start, end


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    looks: Mapping[str, Mapping[str, str]] | None = None,
    spare: Sequence[str] = (),
) -> None:
    """Print a table on stdout: with rich on a terminal, as plain text everywhere else.

    ``looks`` has rich's style for texts of a column, by its heading; that of "" is for all others.
    On a terminal that is too narrow columns of ``spare`` are left out, the first of them first;
    what is too wide even so goes on in the line below.
    """
    drawn = None
    if _is_terminal(sys.stdout):
        # Without rich it is the plain table.
        with suppress(ImportError):
            drawn = _drawn(head, [list(map(visible, row)) for row in rows], looks or {}, spare)
    for line in lines(head, rows) if drawn is None else drawn:
        print(line)


def _drawn(
    head: Sequence[str],
    rows: list[list[str]],
    looks: Mapping[str, Mapping[str, str]],
    spare: Sequence[str],
) -> list[str]:
    """Return the lines of a table on the terminal that stdout is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    ranks = [len(spare) - spare.index(label) if label in spare else 0 for label in head]
    columns = [(label, False, rank) for label, rank in zip(head, ranks, strict=True)]
    columns, rows = _fitting(columns, rows, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for label, _is_number, _rank in columns:
        table.add_column(Text(label), overflow="fold")
    styles = [looks.get(label, {}) for label, _is_number, _rank in columns]
    for row in rows:
        pairs = zip(row, styles, strict=True)
        table.add_row(*(Text(cell, look.get(cell, look.get("", ""))) for cell, look in pairs))
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip(" ") for line in capture.get().splitlines()]


def table_lines(table: SummaryTable, painter: Painter, width: int) -> list[str]:
    """Return the lines of a summary's table, ``width`` columns wide (0: as wide as it gets)."""
    console = painter.console
    if console is None:
        return _plain(table, width)
    drawn = _rich(table, width)
    with console.capture() as capture:
        console.print(drawn, width=width or 10_000, crop=False)
    return [line.rstrip() for line in capture.get().splitlines()]


def _rich(table: SummaryTable, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    columns, rows = _fitting(list(table.columns), table.rows, width, spoken=table.spoken)
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for label, is_number, _rank in columns:
        drawn.add_column(
            Text(label),
            justify="right" if is_number else "left",
            style=_LOOKS["error"] if label == "errors" else "",
            no_wrap=is_number,
            overflow="fold",
        )
    for index, row in enumerate(rows):
        last = table.summed and index == len(rows) - 1
        drawn.add_row(*(Text(visible(cell)) for cell in row), style="bold" if last else "")
    return drawn


def _plain(table: SummaryTable, width: int) -> list[str]:
    columns, rows = _fitting(list(table.columns), table.rows, width, spoken=table.spoken)
    labels = [label for label, _is_number, _rank in columns]
    cells = [labels, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)]
    made = []
    for row in cells:
        padded = []
        for cell, size, (_label, is_number, _rank) in zip(row, widths, columns, strict=True):
            room = " " * (size - columns_of(cell))
            padded.append(room + cell if is_number else cell + room)
        line = "  ".join(padded).rstrip()
        made.append(cut(line, width) if width else line)
    return made


def _fitting(
    columns: list[Column], rows: list[list[str]], width: int, *, spoken: bool = False
) -> tuple[list[Column], list[list[str]]]:
    """Return columns and rows without the columns that there is no room for."""
    while width:
        sizes = [
            max([len(label), *(columns_of(row[index]) for row in rows)])
            for index, (label, _is_number, _rank) in enumerate(columns)
        ]
        if spoken:
            sizes[-1] = min(sizes[-1], _SPOKEN)
        least = max(columns, key=lambda column: column[2])
        if sum(sizes) + 2 * len(sizes) <= width or not least[2]:
            break
        gone = columns.index(least)
        columns = columns[:gone] + columns[gone + 1 :]
        rows = [row[:gone] + row[gone + 1 :] for row in rows]
    return columns, rows


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        # It is closed.
        return False


def _has_colors() -> bool:
    return os.environ.get("TERM", "dumb").lower() not in ("dumb", "unknown", "")
