"""Printing what was overheard, as the options say: lines, JSON, dumps, a summary.

Responsible for where the text goes, for colours, and for a place that takes no more. What the text
is, `virtproto.trace` knows; it is given bytes and times. Must not know click, or who tells.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from virtproto.cli.showing_options import ShowingOptions
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.telling import Begin, End, Note

    Told = TracedMessage | Note | Begin | End

__all__ = ["Shower"]


class Shower:
    """Prints what `trace.telling.Teller` tells, in its order.

    In three steps: ``show`` what is at hand, ``rest`` when nothing more is, ``finish`` at the end.
    It is made before a command is started: what is wrong with the options or the file of
    -o is then said first. It may be used in a process forked since, if nothing was shown before.
    """

    def __init__(self, options: ShowingOptions, *, stream: TextIO | None = None) -> None:
        """Open what is printed to: the file of -o, else ``stream``, by default stdout.

        Raises UsageError for a file that cannot be written, and where rich is missing.
        """
        self._options = options
        self._stream = sys.stdout if stream is None else stream
        # Whether nobody reads what is printed any more: there is nothing left to do then.
        self.closed = False

    def show(self, told: Iterable[Told]) -> None:
        """Print, or count, what was told. What is printed may be held back until ``rest``."""
        for each in told:
            self._stream.write(f"{each!r}\n")

    def rest(self) -> float | None:
        """Write out what was held back: to be called when nothing more is at hand.

        Returns in how many seconds to call it again if nothing comes until then, None for never:
        packets of one stream are told in one line where they come fast.
        """
        self._stream.flush()
        return None

    def finish(self) -> None:
        """Print what is left, and the summary if asked for; close the file of -o."""
        self._stream.flush()
