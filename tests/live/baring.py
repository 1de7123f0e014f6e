"""All that can be seen of something: for tests that look for what must not be there.

Responsible for what a log, a traceback with the values of variables, and a look around with a
debugger would show. Must not know what is looked for, but for the forms that it may take.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import logging
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Seen", "forms", "reachable", "seen", "shown"]

# Of these only what they are called is looked at: everything in the process hangs on them.
_DOORS = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
_MOST = 200_000
_TESTS = str(Path(__file__).parents[1])


class Seen:
    """What was logged and warned of during a ``with seen()`` block."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class _Handler(logging.Handler):
    def __init__(self, kept: Seen) -> None:
        super().__init__(0)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.lines += [record.getMessage(), repr(record.args), repr(record.__dict__)]


@contextlib.contextmanager
def seen() -> Iterator[Seen]:
    """Take note of every line of every logger, and of every warning."""
    kept = Seen()
    root = logging.getLogger()
    names = [name for name in logging.Logger.manager.loggerDict if name]
    loggers = [root, *(logging.getLogger(name) for name in ("asyncio", "virtproto", *names))]
    before = [(logger, logger.level) for logger in loggers]
    handler = _Handler(kept)
    root.addHandler(handler)
    try:
        for logger in loggers:
            logger.setLevel(1)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield kept
            kept.lines += [str(each.message) for each in warned]
    finally:
        root.removeHandler(handler)
        for logger, level in before:
            logger.setLevel(level)


def forms(secret: str) -> list[str]:
    """Return how a text may look: as it is, in base 64 and 16, and as an array of XDR's chars."""
    data = secret.encode()
    found = [secret, repr(secret)[1:-1], data.hex(), data.hex().upper(), data.hex(" ")]
    for before in range(3):
        # Wherever in a longer text it begins: what its neighbours have a part in is left out.
        coded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        found.append(coded[-(-before * 8 // 6) : -1])
    chars = b"".join(bytes((0, 0, 0, byte)) for byte in data)
    found += [repr(chars)[2:-1], chars.hex(), repr(list(data))[1:-1]]
    return found


def shown(error: BaseException) -> str:
    """Return all that the most talkative of tracebacks shows, and every error in the chain."""
    lines = traceback.format_exception(error)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines += told.format()
    lines += _frames_of_the_suppressed(error)
    each: BaseException | None = error
    while each is not None:
        lines += [str(each), repr(each), repr(each.args), repr(vars(each))]
        each = each.__cause__ or each.__context__
    return "".join(lines)


def _frames_of_the_suppressed(error: BaseException) -> list[str]:
    """Return the tracebacks of contexts that "from None" keeps from being printed."""
    lines: list[str] = []
    context = error.__context__
    while context is not None:
        told = traceback.TracebackException.from_exception(context, capture_locals=True)
        lines += told.format()
        context = context.__context__
    return lines


def reachable(*roots: object) -> list[str]:
    """Return the repr of whatever hangs on ``roots``, without the tests' own frames."""
    visited: dict[int, object] = {}
    waiting = list(roots)
    reprs: list[str] = []
    while waiting:
        each = waiting.pop()
        if id(each) in visited or isinstance(each, _DOORS):
            continue
        visited[id(each)] = each
        assert len(visited) < _MOST
        if isinstance(each, types.FrameType):
            if not each.f_code.co_filename.startswith(_TESTS):
                waiting += each.f_locals.values()
            continue
        with contextlib.suppress(Exception):
            reprs.append(repr(each))
        waiting += gc.get_referents(each)
        for name in ("gi_frame", "cr_frame", "tb_frame"):
            frame: Any = getattr(each, name, None)
            if isinstance(frame, types.FrameType):
                waiting.append(frame)
    return reprs
