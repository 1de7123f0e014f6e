"""The static checks and the suites, one after the other.

Responsible for how each is called and for ending them together with this process.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
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

    An interrupt at the terminal reaches the child as well, and its end is worth waiting for: pytest
    stops the daemons then. A request to terminate is passed on.
    """
    child = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL)
    told_to_stop = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told_to_stop.append(number)
        if number == signal.SIGTERM:
            child.terminate()

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = child.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if told_to_stop:
        raise KeyboardInterrupt
    return code
