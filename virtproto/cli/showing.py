"""Printing what was overheard, as the options say: lines, JSON, dumps, a summary.

Responsible for where the text goes, when it is written, and for a place that takes no more. What
the text is, `virtproto.trace` knows. Must not know click, or who tells.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from virtproto.cli.colouring import Painter, table_lines
from virtproto.cli.output import complain
from virtproto.errors import UsageError
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.as_hex import HexDump
from virtproto.trace.printing.as_json import JSONLines
from virtproto.trace.printing.filtering import Filtering
from virtproto.trace.printing.lines import Liner
from virtproto.trace.printing.stream_runs import StreamRuns
from virtproto.trace.printing.summary import Summary
from virtproto.trace.printing.summary_tables import summary_object, summary_tables, totals
from virtproto.trace.telling import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from virtproto.cli.showing_options import ShowingOptions
    from virtproto.trace.telling import Told

__all__ = ["Shower"]

# Of a line that goes to no terminal, and of one string in it.
_PIPE_WIDTH, _PIPE_LONGEST = 1000, 200
# Packets of a stream are counted together until so long nothing comes, and told so often while they
# keep coming.
_PATIENCE_S = 0.25
_PROGRESS_S = 1.0
# Of a file that is made, and of any that passwords are written to.
_MODE = 0o600
# So much text is written at once.
_ENOUGH = 65536

# What an output of a narrow encoding gets instead.
_SIGNS = str.maketrans({"→": ">", "←": "<", "…": "~", "µ": "u"})


class Shower:
    """Prints what `trace.telling.Teller` tells, in its order.

    In three steps: ``show`` what is at hand, ``rest`` when nothing more is, ``finish`` at the end.
    It is made before a command is started: what is wrong with the options or the file of -o is then
    said first. It may be used in a process forked since, if nothing was shown before.

    ``closed`` becomes true where nobody reads what is printed any more: there is nothing left to do
    then. ``failure`` says why if that is not because its reader has enough, such as a full disk.
    """

    def __init__(self, options: ShowingOptions, *, stream: TextIO | None = None) -> None:
        """Open what is printed to: the file of -o, else ``stream``, by default stdout.

        Raises UsageError for a file that cannot be written, and for colours where rich is missing.
        """
        self.closed = False
        self.failure: str | None = None
        self._options = options
        self._stream = _opened(options.output, secrets=options.show_secrets) or stream or sys.stdout
        self._owns = options.output is not None
        self._painter = Painter(self._stream, options.color)
        secrets = options.show_secrets
        self._liner = Liner(show_secrets=secrets, clock=_clock(options.time))
        self._dump = HexDump(show_secrets=secrets)
        self._json = JSONLines(show_secrets=secrets, with_bytes=options.as_hex)
        self._filtering = None if options.filter is None else Filtering(options.filter)
        self._summary = Summary() if options.summary else None
        self._runs = StreamRuns()
        # When the oldest of them began, and when the last packet came.
        self._runs_since = 0.0
        self._runs_last = 0.0
        self._text: list[str] = []
        self._size = 0
        self._narrow = not _is_wide(self._stream)
        self._headed = False
        self._begun = False
        self._fit()

    def show(self, told: Iterable[Told]) -> None:
        """Print, or count, what was told. What is printed may be held back until ``rest``."""
        if self.closed:
            return
        filtering = self._filtering
        for each in told:
            if not self._begun:
                # Times are the same whatever a filter leaves.
                self._begun = True
                self._liner.count_from(each.time_s)
                self._json.count_from(each.time_s)
            if filtering is None:
                self._take(each)
            else:
                for picked in filtering.pick(each):
                    self._take(picked)

    def rest(self) -> float | None:
        """Write out what was held back: to be called when nothing more is at hand.

        Returns in how many seconds to call it again if nothing comes until then, None for never:
        packets of one stream are told in one line where they come fast.
        """
        left = None
        if self._runs:
            by = min(self._runs_last + _PATIENCE_S, self._runs_since + _PROGRESS_S)
            left = by - time.monotonic()
            if left <= 0:
                self._tell_runs()
                left = None
        self._write()
        self._fit()
        return left

    def finish(self) -> None:
        """Print what is left, and the summary if asked for; close the file of -o."""
        self._tell_runs()
        if self._summary is not None:
            self._tell_summary(self._summary)
        self._write()
        if self._owns:
            try:
                self._stream.close()
            except OSError as error:
                self._fail(error)

    def _take(self, told: Told) -> None:
        options = self._options
        if self._summary is not None:
            self._summary.add(told)
        if not options.prints_messages:
            return
        if options.as_json:
            self._put(self._json.line(told))
            return
        is_message = isinstance(told, TracedMessage)
        if is_message and not options.as_hex and self._folds(told):  # type: ignore[arg-type]
            return
        self._tell_runs()
        self._head()
        paint = self._painter.paint
        if options.as_hex and isinstance(told, TracedMessage):
            self._put(paint(self._liner.message(told, bare=True)))
            for row in self._dump.rows(told):
                self._put(paint(row))
            return
        for line in self._liner.lines(told):
            self._put(paint(line))
        if options.as_hex and isinstance(told, Note) and told.data:
            for row in self._dump.bytes_of(told):
                self._put(paint(row))

    def _folds(self, message: TracedMessage) -> bool:
        """Count a stream's packet in with those before it, if it is one; say whether it was."""
        if self._options.every_packet:
            return False
        begins = not self._runs
        if not self._runs.takes(message):
            return False
        self._runs_last = time.monotonic()
        if begins:
            self._runs_since = self._runs_last
        elif self._runs.longest_s >= _PROGRESS_S:
            self._tell_runs()
        return True

    def _tell_runs(self) -> None:
        for run in self._runs.take():
            self._head()
            alone = run.count == 1
            spans = self._liner.message(run.first) if alone else self._liner.run(run)
            self._put(self._painter.paint(spans))

    def _head(self) -> None:
        """Begin with headings, where somebody looks at them."""
        if not self._headed:
            self._headed = True
            if self._painter.is_terminal:
                self._put(self._painter.paint(self._liner.heading()))

    def _tell_summary(self, summary: Summary) -> None:
        if self._options.as_json:
            self._put(self._json.text(summary_object(summary)))
            return
        if self._options.prints_messages:
            self._put("")
        for table in summary_tables(summary):
            if table.title:
                self._put(self._painter.paint([(f"{table.title}:", "note")]))
            for line in table_lines(table, self._painter, self._width):
                self._put(line)
            self._put("")
        self._put(totals(summary))

    def _fit(self) -> None:
        """Let lines be as wide as the terminal is, which may have changed."""
        width, longest = _PIPE_WIDTH, _PIPE_LONGEST
        self._width = 0
        if self._options.width is not None:
            self._width = width = self._options.width
            longest = max(24, width // 3) if width else 0
        elif self._painter.is_terminal:
            self._width = width = _columns(self._stream)
            longest = max(24, width // 3)
        self._liner.fit(width, longest)
        self._dump.fit(self._width)

    def _put(self, line: str) -> None:
        self._text.append(line)
        self._size += len(line)
        if self._size > _ENOUGH:
            self._write()

    def _write(self) -> None:
        if self._text and not self.closed:
            self._text.append("")
            text = "\n".join(self._text)
            try:
                self._stream.write(text.translate(_SIGNS) if self._narrow else text)
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._fail(error)
        self._text.clear()
        self._size = 0

    def _fail(self, error: OSError | ValueError) -> None:
        if self.closed:
            # What was still to be written is tried again by the close.
            return
        self.closed = True
        # ValueError is what a stream says that was closed here.
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.failure = error.strerror or str(error)
            where = f"--output: {self._options.output}" if self._owns else "the output"
            complain(f"{where} cannot be written: {self.failure}")


def _opened(path: str | None, *, secrets: bool) -> TextIO | None:
    if path is None:
        return None
    try:
        # What it holds is as private as the conversations are.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        if secrets and stat.S_ISREG(os.fstat(number).st_mode):
            os.fchmod(number, _MODE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--output: {path} cannot be written: {reason}") from None
    return open(number, "w", encoding="utf-8", errors="backslashreplace")


def _is_wide(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        "→←…µ".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _columns(stream: TextIO) -> int:
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        found = 0
    return found or 80


def _clock(kind: str) -> Callable[[float], str] | None:
    """Return what writes a time of day, None where times are told from the first message on."""
    if kind == "elapsed":
        return None
    broken_down = time.localtime if kind == "local" else time.gmtime

    def text(time_s: float) -> str:
        second, micros = divmod(round(time_s * 1_000_000), 1_000_000)
        try:
            return f"{time.strftime('%H:%M:%S', broken_down(second))}.{micros:06}"
        except (OverflowError, ValueError, OSError):
            return f"{time_s:.6f}"

    return text
