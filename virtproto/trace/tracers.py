"""Who is told of a connection's messages: what ``trace`` of ``open`` means.

Responsible for the choice, and for the lines on a logger: those of ``virtproto trace``, with
secrets elided. Where lines are asked for and logging has no handler for them they go to stderr, as
logging's own last resort has warnings do. Must not know where messages come from.
"""

from __future__ import annotations

import logging
import sys

from virtproto.trace.lines import Liner, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from virtproto.trace.message import TracedMessage

    Tracer: TypeAlias = Callable[[TracedMessage], object]

__all__ = ["LOGGER_NAME", "tracer_of"]

LOGGER_NAME = "virtproto.trace"

# Characters of one string in a line: a domain's description is not to fill a log.
_LONGEST = 200
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
        return _own_lines if trace else None
    if callable(trace):
        return trace
    return _Lines(trace)


class _Lines:
    """Tells a logger each message in a line, at level DEBUG."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._liner = Liner(longest=_LONGEST)

    def __call__(self, message: TracedMessage) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._logger.debug("%s", text_of(self._liner.message(message)))


class _OwnLines(_Lines):
    """The same for the logger of this package, which is there for nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(LOGGER_NAME))
        if self._logger.level == logging.NOTSET:
            # The root's level is most often WARNING; whoever asks for lines wants to see them.
            self._logger.setLevel(logging.DEBUG)

    def __call__(self, message: TracedMessage) -> None:
        if self._logger.hasHandlers():
            super().__call__(message)
        elif self._logger.isEnabledFor(logging.DEBUG) and sys.stderr is not None:
            text = f"{text_of(self._liner.message(message))}\n"
            sys.stderr.write(text)
            sys.stderr.flush()


_own: _OwnLines | None = None


def _own_lines(message: TracedMessage) -> None:
    """Tell the package's own logger; one for all connections, so that lines tell them apart."""
    global _own
    if _own is None:
        _own = _OwnLines()
    _own(message)
