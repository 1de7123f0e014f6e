"""What every suite shares: the lab's fixtures, its one option, and hypothesis' settings."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# A deadline would measure the machine, not the code. Every run has the same examples, wherever it
# is and whatever CI says there; `./test --hypothesis-profile=search` looks for new ones.
settings.register_profile("suite", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("suite")

# A run in the background of a shell ignores what a keyboard sends, a run by nohup hang-ups as well,
# and so would every process that a test starts in order to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

pytest_plugins = ["tests.lab.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one way in which the suites against real daemons are left out."""
    parser.addoption(
        "--without-lab",
        action="store_true",
        help="leave out the tests that need real libvirt daemons",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that need the lab, if that was asked for; otherwise they run or fail."""
    if not config.getoption("--without-lab"):
        return
    left_out = [item for item in items if item.get_closest_marker("lab")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("lab")]
