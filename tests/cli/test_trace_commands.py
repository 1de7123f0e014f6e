"""The options of ``virtproto trace``: which go together, what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from virtproto.cli import main, tracing


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a COMMAND to run, or --listen SOCK"),
        (["--listen", "/s", "virsh"], "COMMAND is not for --listen"),
        (["--listen", "/s", "-c", "test:///default"], "-c is not for --listen"),
        (["--listen", "/s", "--socket", "/x"], "--socket is not for --listen"),
        (["--to", "test:///default", "true"], "--to is for --listen"),
        (["--mode", "600", "true"], "--mode is for --listen"),
        (["--to-all", "true"], "--to-all is for --listen"),
        (["--listen", "/s", "--mode", "9"], "--mode: expected octal permissions"),
        (["--overwrite", "true"], "--overwrite is for --record FILE"),
        (["-c", "qemu+pigeon:///system", "true"], "'pigeon' is not a transport"),
        (["--record", "/nowhere/at/all", "true"], "--record: /nowhere/at/all cannot be written"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", *arguments]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["virsh", "list", "--all"], ("virsh", "list", "--all")),
        (["--", "virsh", "-c", "x", "--", "y"], ("virsh", "-c", "x", "--", "y")),
        (["--summary", "virsh", "--help"], ("virsh", "--help")),
        (["--", "--odd"], ("--odd",)),
    ],
)
def test_what_follows_is_the_programs(
    arguments: list[str], command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(argv: tuple[str, ...], *_others: object, **_options: object) -> int:
        seen.append(argv)
        return 42

    monkeypatch.setattr(tracing, "trace_command", run)
    assert main(["trace", *arguments]) == 42
    assert seen == [command]


def test_options_of_listening(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []

    def listen(address: str, _showing: object, keeping: Any, **options: object) -> int:
        seen.append((address, keeping.path, keeping.overwrite, options))
        return 0

    monkeypatch.setattr(tracing, "trace_clients", listen)
    arguments = ["--listen", "@s", "--to", "u", "--mode", "660", "--record", "f", "--authenticate"]
    assert main(["trace", *arguments]) == 0
    options = {"uri": "u", "mode": 0o660, "to_all": False, "authenticate": True}
    assert seen == [("@s", "f", False, options)]
