"""Where output and complaints go, and what becomes of them when that place fails.

Responsible for stdout and stderr that are closed, full, or of a narrow encoding, and for a closed
input being nothing else. Must not know what is printed, nor of click.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["complain", "discard_output", "prepare", "tell"]


def prepare() -> None:
    """Make stdout and stderr fit to be written to, also where the process began without them.

    Closed stdin reads as an empty one, and ``sys.stdin`` stays None. Closed stdout fails when it is
    written to, as a full one does: ``print`` would say nothing. Closed stderr takes everything, and
    nobody reads it: ``print`` would turn to stdout.
    """
    # From the lowest number on, which is the one that the system gives out next: no file or socket
    # gets it, to be taken for what was typed.
    if sys.stdin is None and not _is_open(0):
        os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        # Open for reading only, so that writing is EBADF; no file or socket gets the number 1.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)
    # Names of a daemon's objects may hold what the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def complain(text: str) -> None:
    """Write one line on stderr, whatever ``text`` has in it.

    Hosts have a say in errors, also those that nobody trusts yet: nothing acts on a terminal.
    """
    from virtproto.cli.table import visible

    tell(f"virtproto: {visible(' '.join(text.split()))}")


def tell(text: str) -> None:
    """Write on stderr. Where that cannot be done, nobody is left to be told of it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def discard_output() -> None:
    """Let what is still to be written on stdout go nowhere.

    To be called when writing has failed: the interpreter would try again on its way out.
    """
    _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    # A stream without a descriptor, such as a test's, holds nothing back.
    with suppress(OSError):
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
