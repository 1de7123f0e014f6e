"""./run: what becomes of its arguments, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import run_demo

PYTHON = Path("python")


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that took this one's place, on a machine that has all that is needed."""
    seen: list[list[str]] = []

    def execv(_path: Path, arguments: Sequence[str]) -> None:
        seen.append(list(arguments))

    monkeypatch.setattr(run_demo, "why_not", lambda: None)
    monkeypatch.setattr(run_demo, "install", lambda packages: None)
    monkeypatch.setattr(run_demo, "ready_environment", lambda extra: PYTHON)
    monkeypatch.setattr(run_demo, "show_on_private_daemon", lambda python: 0)
    monkeypatch.setattr("os.execv", execv)
    return seen


def test_arguments_are_virtprotos(
    executed: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run_demo.main(["list", "--help"])
    assert executed == [["python", "-m", "virtproto", "list", "--help"]]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_says_what_run_alone_does(
    executed: list[list[str]], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    run_demo.main([option])
    assert executed == [["python", "-m", "virtproto", option]]
    assert "./run alone shows virtproto on a libvirtd of its own" in capsys.readouterr().out


def test_alone_it_is_the_demo(executed: list[list[str]]) -> None:
    assert run_demo.main([]) == 0
    assert executed == []
