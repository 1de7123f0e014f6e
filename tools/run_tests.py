"""Set this machine up for the tests and run them; ./test is its front door.

Exit codes are told by ``./test --help``, from _EXIT_CODES below.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from setup.checks import run_pytest, run_static_checks
from setup.debian import ENVIRONMENT_PACKAGES, install, lab_packages, why_not
from setup.environment import PROJECT, ready_environment
from setup.progress import SetupError, tell

_WITHOUT_LAB = "--without-lab"
_MOST_PROCESSES = 4
_EXIT_NO_ENVIRONMENT = 2
_EXIT_NO_LAB = 3
_EXIT_INTERRUPTED = 130

_WHAT = """\
Set this machine up for the tests and run them: the static checks and every suite, or, with
arguments for pytest (tests/xdr, -k WORDS, -x, ...), pytest alone with these.
"""
_EXIT_CODES = """\
exit codes:
  0  all that should run is green
  1  something failed
  2  no environment could be made
  3  the rest is green, but the suites against real daemons could not run and nobody said that they
     need not
"""


def main(arguments: list[str]) -> int:
    """Do what ``./test ARGUMENTS`` promises; return the exit code."""
    parser = _parser()
    options, for_pytest = parser.parse_known_args(arguments)
    if options.help:
        print(parser.format_help(), end="")
        return 0
    try:
        lab_missing = None if options.without_lab else _install_lab_packages()
        if (options.without_lab or lab_missing) and why_not() is None:
            install(ENVIRONMENT_PACKAGES)
        python = ready_environment("dev")
    except SetupError as error:
        tell(f"the tests cannot run: {error}")
        return _EXIT_NO_ENVIRONMENT
    if not options.without_lab and lab_missing is None:
        lab_missing = _prepare_lab(python)
    if lab_missing:
        tell(_no_lab(lab_missing))
    failed = [] if for_pytest else run_static_checks(python)
    left_out = [_WITHOUT_LAB] if options.without_lab or lab_missing else []
    if run_pytest(python, [*left_out, *(for_pytest or _side_by_side())]):
        failed.append("pytest")
    _tell_left_out(lab_missing, without_lab=options.without_lab)
    if failed:
        tell(f"FAILED: {', '.join(failed)}")
        return 1
    tell("green" if for_pytest or left_out else "all green")
    return _EXIT_NO_LAB if lab_missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./test",
        usage="./test [-h] [--without-lab] [PYTEST-ARGUMENT ...]",
        description=_WHAT,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # What is no option of ours in full is pytest's.
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this, and run nothing")
    parser.add_argument(
        _WITHOUT_LAB,
        action="store_true",
        help="leave out the suites that need real libvirt daemons, and install nothing for them",
    )
    return parser


def _install_lab_packages() -> str | None:
    """Return None, or why they cannot be installed."""
    try:
        install(lab_packages())
    except SetupError as error:
        return str(error)
    return None


def _prepare_lab(python: Path) -> str | None:
    """Return None, or why the lab cannot be had here."""
    prepared = subprocess.run(
        [str(python), "-m", "tests.lab"],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if prepared.returncode:
        return " / ".join(prepared.stderr.strip().splitlines()[-5:])
    return None


def _side_by_side() -> list[str]:
    """Return what has pytest run all suites in a process for each core, file by file.

    Files come in their order: the slow ones are in the middle, and at the end there are many short
    ones to fill the cores with. More processes would only meet each other at the same daemons.
    A process that dies, as one does whose test hangs, ends the run: in another one the same test
    would be run again.
    """
    processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
    if processes < 2:
        return []
    return [
        f"--numprocesses={processes}",
        "--max-worker-restart=0",
        *("--dist=loadfile", "--no-loadscope-reorder"),
    ]


def _no_lab(reason: str) -> str:
    return f"the suites against real daemons are left out: {reason}"


def _tell_left_out(lab_missing: str | None, *, without_lab: bool) -> None:
    if without_lab:
        tell(_no_lab(f"{_WITHOUT_LAB} was asked for"))
    if lab_missing:
        tell(f"{_no_lab(lab_missing)} ({_WITHOUT_LAB} accepts that)")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        tell("stopped")
        sys.exit(_EXIT_INTERRUPTED)
