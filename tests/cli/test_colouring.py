"""Colours and tables on a terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest

from virtproto.cli import colouring
from virtproto.cli.colouring import Painter, print_table
from virtproto.cli.table import lines
from virtproto.trace.printing.lines import STYLES

HEAD = ["Id", "Name", "State", "UUID"]
ROWS = [
    ["1", "web", "running", "6695eb01-f6a4-8304-79aa-97f2502e193f"],
    ["-", "仮想\x1b[2J", "shut off", "7795eb01-f6a4-8304-79aa-97f2502e193f"],
]
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _printed(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, width: int) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    print_table(HEAD, ROWS, {"State": {"running": "green"}, "Name": {"": "bold"}}, ["UUID"])
    return stream.getvalue()


def test_pipe_gets_the_plain_table(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _printed(monkeypatch, io.StringIO(), 20)
    assert shown == "".join(f"{line}\n" for line in lines(HEAD, ROWS))


def test_terminal_gets_colours_in_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _printed(monkeypatch, Terminal(), 120)
    assert "\x1b[32mrunning" in shown
    plain = [_ESCAPE.sub("", line).rstrip() for line in shown.splitlines()]
    assert plain == list(lines(HEAD, ROWS))


def test_narrow_terminal_loses_what_can_be_spared_and_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = _ESCAPE.sub("", _printed(monkeypatch, Terminal(), 40))
    assert "UUID" not in shown
    assert "仮想\\x1b[2J" in shown
    narrow = _ESCAPE.sub("", _printed(monkeypatch, Terminal(), 14))
    assert "".join(narrow.split()).count("running") == 1 or "runn" in narrow
    assert "…" not in narrow


def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    print_table(HEAD, ROWS, {"State": {"running": "green"}})
    assert "\x1b[3" not in terminal.getvalue()


def test_every_style_has_a_look() -> None:
    assert set(colouring._LOOKS) == set(STYLES)
    painter = Painter(io.StringIO(), "always")
    assert painter.paint([("x", "error"), ("y", ""), ("z", "unheard-of")]) == "\x1b[1;31mx\x1b[0myz"
    assert Painter(io.StringIO()).paint([("x", "error"), ("y", "")]) == "xy"
