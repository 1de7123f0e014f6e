"""The static checks and the suites, one after the other.

Responsible for how each is called and for ending them together with this process.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from setup.environment import PROJECT
from setup.progress import tell

__all__ = ["run_pytest", "run_static_checks"]

_STATIC_CHECKS = (
    ("ruff check", ["-m", "ruff", "check", "--quiet", "."]),
    ("ruff format", ["-m", "ruff", "format", "--check", "--quiet", "."]),
    ("mypy", ["-m", "mypy", "--no-error-summary"]),
    ("gen_xdr.py --check", ["tools/gen_xdr.py", "generate", "--check"]),
    ("sphinx", ["-m", "sphinx", "-W", "--keep-going", "-q", "docs", "docs/_build"]),
)


def run_static_checks(python: Path) -> list[str]:
    """Run them all, whatever the first says; return the names of those that failed."""
    failed = []
    for name, arguments in _STATIC_CHECKS:
        tell(name)
        if _run([str(python), *arguments]):
            tell(f"{name} FAILED")
            failed.append(name)
    return failed


def run_pytest(python: Path, arguments: Sequence[str]) -> int:
    """Run the suites; return pytest's exit code."""
    tell(" ".join(["pytest", *arguments]))
    return _run([str(python), "-m", "pytest", *arguments])


def _run(command: list[str]) -> int:
    """Run ``command`` to its end, also when this process is told to stop; then stop.

    Its end is worth waiting for: pytest stops the daemons then. An interrupt at the terminal
    reaches all processes by itself; a request to terminate is passed on as one.
    """
    told_to_stop = []
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        told_to_stop.append(number)
        if number == signal.SIGTERM and child is not None:
            _interrupt(child)

    # Before the child starts, which otherwise ignores interrupts where this process does.
    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL)
        if signal.SIGTERM in told_to_stop:
            _interrupt(child)
        code = child.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if told_to_stop:
        raise KeyboardInterrupt
    return code


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Do to a process and its children, as pytest has some, what the terminal's interrupt does.

    A child that only pytest asks to end is given 5 s for its test, and killed after 10.
    """
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:  # it has ended, or the kernel does not tell
        children = []
    process.send_signal(signal.SIGINT)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGINT)
