"""Who is told of a connection's messages: what ``trace`` of ``open`` means.

Responsible for the choice, and for the lines on a logger: those of ``virtproto trace``, with
secrets elided. Where lines are asked for and logging has no handler for them they go to stderr, as
logging's own last resort has warnings do. Must not know where messages come from.
"""

from __future__ import annotations

import logging
import sys

from virtproto.trace.printing.lines import Liner, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.telling import Begin

    Tracer: TypeAlias = Callable[[TracedMessage], object]

__all__ = ["LOGGER_NAME", "Lines", "tracer_of"]

LOGGER_NAME = "virtproto.trace"

# Columns of a line and characters of one string in it, as `virtproto trace` has them in a pipe.
_WIDTH, _LONGEST = 1000, 200
# What VIRTPROTO_TRACE is set to by whoever wants none.
_OFF = ("", "0")


def tracer_of(
    trace: bool | logging.Logger | Tracer | None, environment: str | None
) -> Tracer | None:
    """Return who is to be told of each message, None for nobody.

    ``trace`` is a value that ``model.opening_options.check_trace`` lets through, ``environment``
    the value of VIRTPROTO_TRACE, which counts where ``trace`` is None.
    """
    if trace is None:
        trace = environment is not None and environment not in _OFF
    if isinstance(trace, bool):
        return _own_lines() if trace else None
    if callable(trace):
        return trace
    return Lines(trace)


class Lines:
    """Tells a logger each message in a line, at level DEBUG."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._liner = Liner(width=_WIDTH, longest=_LONGEST)

    def __call__(self, message: TracedMessage) -> None:
        self.tell(message)

    def tell(self, told: TracedMessage | Begin) -> None:
        """Tell a message, or that a conversation begins."""
        if self._logger.isEnabledFor(logging.DEBUG):
            for spans in self._liner.lines(told):
                self._put(text_of(spans))

    def _put(self, line: str) -> None:
        self._logger.debug("%s", line)


class _OwnLines(Lines):
    """The same for the logger of this package, which is there for nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(LOGGER_NAME))
        if self._logger.level == logging.NOTSET:
            # The root's level is most often WARNING; whoever asks for lines wants to see them.
            self._logger.setLevel(logging.DEBUG)

    def _put(self, line: str) -> None:
        if self._logger.hasHandlers():
            super()._put(line)
        elif sys.stderr is not None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


_own: _OwnLines | None = None


def _own_lines() -> _OwnLines:
    """Return what tells the package's own logger: one for all, so that lines tell them apart."""
    global _own
    if _own is None:
        _own = _OwnLines()
    return _own
