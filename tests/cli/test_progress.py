"""The line that shows how far something has come."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from virtproto.cli.progress import ProgressBar, draw

MIB = 1 << 20


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    line = draw("disk", 64 * MIB, 256 * MIB, 32.0 * MIB, 6.0, 79)
    bar = "#" * 5 + " " * 16
    assert line == f"disk   25%  [{bar}]  64.0 MiB of 256 MiB  32.0 MiB/s  0:06 left"
    assert len(line) <= 79
    assert len(draw("disk", 64 * MIB, 256 * MIB, 32.0 * MIB, 6.0, 300)) < 100


def test_the_end_says_how_long_it_took() -> None:
    assert draw("disk", 5, 5, 5.0, 61.0, 40) == "disk  100%  5 B of 5 B  5 B/s  in 1:01"
    assert draw("disk", 0, 0, 0.0, None, 30) == "disk  100%  0 B of 0 B"


def test_without_a_total_there_is_no_bar() -> None:
    assert draw("-", 2048, None, 1024.0, None, 79) == "-  2.0 KiB  1.0 KiB/s"


@pytest.mark.parametrize("width", [0, 1, 10, 20, 30, 40, 50, 60, 70, 80])
def test_a_line_fits(width: int) -> None:
    for label in ("d", "disk" * 20):
        line = draw(label, 64 * MIB, 256 * MIB, 32.0 * MIB, 6.0, width)
        assert len(line) <= width
    assert draw("disk" * 20, 1, 2, 0.0, None, 30).startswith(" 50%")


@pytest.mark.parametrize(
    ("label", "taken"), [("仮想ディスク", 12), ("e\u0301te\u0301", 3), ("\uff44", 2), ("💾", 2)]
)
def test_a_label_takes_columns_not_characters(label: str, taken: int) -> None:
    line = draw(label, 64 * MIB, 256 * MIB, 32.0 * MIB, 6.0, 79)
    plain = draw("x" * taken, 64 * MIB, 256 * MIB, 32.0 * MIB, 6.0, 79)
    assert line.replace(label, "x" * taken) == plain


def test_a_wide_label_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen = _Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    with ProgressBar("仮想", shown=True) as bar:
        bar.update(1000, 10_000)
        monkeypatch.setenv("COLUMNS", "20")
        bar.update(2000, 10_000)
    first, second = screen.shown.rstrip("\n").split("\r")[1:]
    assert ("仮想" in first, "仮想" in second) == (True, False)
    assert len(second) == len(first) + 2


class _Screen:
    """A stderr that is a terminal, or is none."""

    def __init__(self, *, terminal: bool, full: bool = False) -> None:
        self.terminal = terminal
        self.full = full
        self.shown = ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> None:
        if self.full:
            raise OSError
        self.shown += text

    def flush(self) -> None:
        pass


def run_bar(monkeypatch: pytest.MonkeyPatch, *, shown: bool = True, **screen: Any) -> str:
    there = _Screen(**screen)
    monkeypatch.setattr(sys, "stderr", there)
    with ProgressBar("disk", shown=shown) as bar:
        for done in (0, 50, 100):
            bar.update(done, 100)
    return there.shown


def test_a_terminal_shows_one_line_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    shown = run_bar(monkeypatch, terminal=True)
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    first, second, third = shown.rstrip("\n").split("\r")[1:]
    assert ("  0%" in first, " 50%" in second, "100%" in third) == (True, True, True)
    # What was longer before leaves nothing behind.
    assert len(third) >= len(second.rstrip())


def test_nothing_is_shown_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_bar(monkeypatch, terminal=False) == ""
    assert run_bar(monkeypatch, terminal=True, shown=False) == ""
    assert run_bar(monkeypatch, terminal=True, full=True) == ""
