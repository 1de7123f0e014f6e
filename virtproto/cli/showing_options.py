"""How ``trace`` and ``decode`` are told what to print: their common options, as one value.

Responsible for click's options and for saying at once which of them contradict each other. What is
printed is `showing`'s.
"""

from __future__ import annotations

import functools

import click

from virtproto.cli.options import complete_files
from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from virtproto.trace.printing.filter_expressions import Filter

__all__ = ["ShowingOptions", "showing_options"]

COLORS = ("auto", "always", "never")
TIMES = ("elapsed", "local", "utc")


class ShowingOptions:
    """What is to be printed of messages, and how.

    ``wanted`` is the text of --filter, ``filter`` what it means (None lets all pass). ``output`` is
    the path of a file, None for the stream that `showing.Shower` is given. ``width`` is in columns:
    None for the terminal's, 0 for as wide as it gets.

    Raises UsageError for a filter that cannot be read, and for what contradicts itself.
    """

    __slots__ = (
        "as_hex",
        "as_json",
        "color",
        "every_packet",
        "filter",
        "lines_too",
        "output",
        "show_secrets",
        "summary",
        "time",
        "wanted",
        "width",
    )

    def __init__(
        self,
        *,
        as_json: bool = False,
        as_hex: bool = False,
        summary: bool = False,
        lines_too: bool = False,
        wanted: str | None = None,
        show_secrets: bool = False,
        color: str = "auto",
        every_packet: bool = False,
        time: str = "elapsed",
        width: int | None = None,
        output: str | None = None,
    ) -> None:
        if color not in COLORS:
            raise UsageError(f"--color: expected {', '.join(COLORS)}, not {color!r}")
        if time not in TIMES:
            raise UsageError(f"--time: expected {', '.join(TIMES)}, not {time!r}")
        if width is not None and width < 0:
            raise UsageError(f"--width: expected a number of columns, not {width}")
        if lines_too and not summary:
            raise UsageError("--lines is for --summary, which prints no lines without it")
        self.as_json = as_json
        self.as_hex = as_hex
        self.summary = summary
        self.lines_too = lines_too
        self.wanted = wanted
        self.show_secrets = show_secrets
        self.color = color
        self.every_packet = every_packet
        self.time = time
        self.width = width
        self.output = output
        self.filter: Filter | None = None
        if wanted is not None:
            from virtproto.trace.printing.filter_expressions import Filter

            self.filter = Filter(wanted)

    @property
    def prints_messages(self) -> bool:
        """Whether messages are printed one by one: not if there is a summary alone."""
        return self.lines_too or not self.summary

    @property
    def wants_payloads(self) -> bool:
        """Whether the data of streams is looked at: what carries it may leave it out otherwise."""
        return self.as_hex and self.prints_messages


_OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each message."),
    click.option("--hex", "as_hex", is_flag=True, help="Print each byte, and what it means."),
    click.option(
        "--summary", is_flag=True, help="Print counts, times and errors of each procedure instead."
    ),
    click.option(
        "--lines", "lines_too", is_flag=True, help="With --summary: the messages as well."
    ),
    click.option(
        "--filter",
        "wanted",
        metavar="EXPRESSION",
        help="Only messages such as 'DOMAIN_* and not event' or 'latency > 10ms or error'.",
    ),
    click.option(
        "--show-secrets", is_flag=True, help="Show passwords and the like, which are left out."
    ),
    click.option("--every-packet", is_flag=True, help="A line for each packet of a stream's, too."),
    click.option(
        "--time",
        type=click.Choice(TIMES),
        default="elapsed",
        show_default=True,
        help="What lines begin with: seconds since the first, or the time of day.",
    ),
    click.option(
        "--color",
        type=click.Choice(COLORS),
        default="auto",
        show_default=True,
        help="Whether to print in colours; auto: on a terminal, unless NO_COLOR is set.",
    ),
    click.option(
        "--width",
        type=int,
        metavar="COLUMNS",
        help="Of a line: by default the terminal's, 0 for as wide as it gets.",
    ),
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        shell_complete=complete_files,
        help="Print to FILE, which is replaced if it exists.",
    ),
)
_NAMES = tuple(name for name in ShowingOptions.__slots__ if name != "filter")


def showing_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options; the command gets them as one `ShowingOptions`, by the name ``showing``."""

    @functools.wraps(command)
    def obey(**given: Any) -> object:
        showing = ShowingOptions(**{name: given.pop(name) for name in _NAMES})
        return command(showing=showing, **given)

    for option in reversed(_OPTIONS):
        obey = option(obey)
    return obey
