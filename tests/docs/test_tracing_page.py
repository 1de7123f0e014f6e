"""docs/tracing.md shows what the commands print, and names every option and every key."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.lab.place import repository
from virtproto.cli.app import run
from virtproto.trace.printing.filter_expressions import Filter

PAGE = (repository / "docs" / "tracing.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)```", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[each[0][:60] for each in EXAMPLES])
def test_examples_print_what_is_shown(
    command: str,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(repository)
    command, _, rest = command.partition(" | sed -n ")
    program, *arguments = shlex.split(command)
    assert program == "virtproto"
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines(keepends=True)
    if rest:
        lines = lines[int(rest.removesuffix("p")) - 1 :][:1]
    assert "".join(lines) == shown


def test_there_are_examples_of_all_forms() -> None:
    commands = " ".join(command for command, _ in EXAMPLES)
    assert all(option in commands for option in ("--json", "--hex", "--summary", "--filter"))


def test_filters_of_the_page_can_be_read() -> None:
    table = PAGE[PAGE.index("## Filters") : PAGE.index("A reply is kept")]
    tests = [
        test
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for test in re.findall(r"`([^`]+)`", row)
    ]
    assert len(tests) > 20
    for test in tests:
        Filter(test)
