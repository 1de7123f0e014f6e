#!/usr/bin/env python3
"""Command line of the generator: reads the arguments, runs one command, turns errors into lines.

Exit status: 0 done or nothing to object to; 1 drift (check) or an incompatible difference (diff);
2 a wrong command line, a file that cannot be read, or a contract that is not one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from xdrgen import commands
from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS

_INTO = PROTOCOL_DEFS.parent / "virtproto"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gen_xdr.py",
        description="Print the code that protocol_defs describes, and keep protocol_defs.",
    )
    parser.add_argument(
        "--check", action="store_true", dest="check", help="the same as the command check"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in (
        ("generate", "write the generated modules and remove stale ones"),
        ("check", "compare bytes and set of files with what generate would write; 1 on drift"),
    ):
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.add_argument("--check", action="store_true", default=argparse.SUPPRESS)
        _add_defs(sub)
        sub.add_argument("--into", type=Path, default=_INTO, help="where the packages live")
    text = "list what B adds to, changes in and removes from A; 1 if any of it is incompatible"
    sub = subparsers.add_parser("diff", help=text, description=text)
    for name in ("A", "B"):
        sub.add_argument(
            name, type=Path, help="a .x file, a folder of them, a libvirt tree or a facts file"
        )
    text = "write protocol_defs from a libvirt source tree (or a folder, or a facts file)"
    sub = subparsers.add_parser("import", help=text, description=text)
    sub.add_argument("TREE", type=Path)
    _add_defs(sub)
    return parser


def _add_defs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--defs", type=Path, default=PROTOCOL_DEFS, help="where the .x files live")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None and not options.check:
        parser.error("expected a command: generate, check, diff or import")
    try:
        match options.command:
            case "diff":
                return commands.diff(options.A, options.B)
            case "import":
                return commands.import_tree(options.TREE, options.defs)
            case "generate" if not options.check:
                return commands.generate(options.defs, options.into)
            case None:
                return commands.check(PROTOCOL_DEFS, _INTO)
        return commands.check(options.defs, options.into)
    except ContractError as error:
        print(f"gen_xdr.py: {error}", file=sys.stderr)
    except OSError as error:
        print(f"gen_xdr.py: {error.filename}: {error.strerror}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
