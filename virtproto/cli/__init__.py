"""The ``virtproto`` command.

Responsible for the way in: without click it says how to get it, and every error becomes one line
and an exit code. What the commands do is in the modules beside this one.

Exit codes: 0 done; 1 the daemon or the way to it said no, or the output cannot be written; 2 the
command line is at fault; 130 interrupted from the keyboard, and 128 and a signal's number where
that signal ended what had to be tidied up.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, by default this process's; return its exit code."""
    from virtproto.cli.output import complain, prepare

    prepare()
    try:
        import click  # noqa: F401
    except ImportError:
        complain("the command line needs click; get it with: pip install 'virtproto[cli]'")
        return 2
    from virtproto.cli.app import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
