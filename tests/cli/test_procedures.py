"""``virtproto procs``."""

from __future__ import annotations

import json

import pytest

from virtproto.cli.procedures import print_procedures, split_enumerator
from virtproto.errors import UsageError


def rows(capsys: pytest.CaptureFixture[str], pattern: str, program: str | None = None) -> object:
    print_procedures(pattern, program, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_a_procedure_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "DOMAIN_GET_INFO") == [
        {
            "program": "remote",
            "number": 16,
            "name": "DOMAIN_GET_INFO",
            "args": "remote_domain_get_info_args",
            "ret": "remote_domain_get_info_ret",
            "priority": "low",
            "stream": None,
            "since": "0.0.3",
        }
    ]


def test_all_of_them_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    counted: dict[str, int] = {}
    found = rows(capsys, "")
    assert isinstance(found, list)
    for row in found:
        counted[row["program"]] = counted.get(row["program"], 0) + 1
    assert counted == {"remote": 456, "qemu": 7, "lxc": 1, "admin": 20}


def test_a_pattern_is_a_part_or_a_whole_name(capsys: pytest.CaptureFixture[str]) -> None:
    print_procedures("lookup_by_i", None, as_json=False)
    assert len(capsys.readouterr().out.splitlines()) == 2
    print_procedures("domain_l*_by_name", None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "Program", "Number", "Name", "Arguments", "Result", "Priority", "Stream", "Since",
    ]  # fmt: skip
    assert [line.split()[2] for line in lines[1:]] == ["DOMAIN_LOOKUP_BY_NAME"]


def test_streams_events_and_priorities_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for pattern, key, value in (
        ("STORAGE_VOL_UPLOAD", "stream", "write"),
        ("STORAGE_VOL_DOWNLOAD", "stream", "read"),
        ("DOMAIN_EVENT_LIFECYCLE", "priority", "event"),
        ("DOMAIN_LOOKUP_BY_NAME", "priority", "high"),
    ):
        found = rows(capsys, pattern)
        assert isinstance(found, list)
        assert found[0][key] == value


def test_a_program_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for program in ("lxc", "LXC", "Lxc"):
        found = rows(capsys, "", program)
        assert isinstance(found, list)
        assert [row["name"] for row in found] == ["DOMAIN_OPEN_NAMESPACE"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("REMOTE_PROC_DOMAIN_GET_INFO", ["DOMAIN_GET_INFO"]),
        (
            "qemu_proc_domain_monitor_c",
            ["DOMAIN_MONITOR_COMMAND", "DOMAIN_MONITOR_COMMAND_WITH_FILES"],
        ),
        ("QEMU_PROC_*_COMMAND", ["DOMAIN_MONITOR_COMMAND", "DOMAIN_AGENT_COMMAND"]),
    ],
)
def test_a_pattern_may_be_an_enumerator(
    capsys: pytest.CaptureFixture[str], pattern: str, names: list[str]
) -> None:
    found = rows(capsys, pattern)
    assert isinstance(found, list)
    assert [row["name"] for row in found] == names
    with pytest.raises(UsageError, match="no procedure matches"):
        rows(capsys, pattern, "lxc")


def test_an_enumerator_is_split_and_other_text_is_not() -> None:
    assert split_enumerator("Lxc_Proc_Domain_Open_Namespace") == ("lxc", "DOMAIN_OPEN_NAMESPACE")
    for text in ("", "Domain_Get_Info", "REMOTE_PROC_", "_PROC_X", "KEEPALIVE_PROC_PING"):
        assert split_enumerator(text) == (None, text)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no procedure matches 'smoke'"):
        print_procedures("smoke", None, as_json=False)
    with pytest.raises(UsageError, match="no program 'smoke'; there are remote, qemu, lxc, admin"):
        print_procedures("", "smoke", as_json=False)
