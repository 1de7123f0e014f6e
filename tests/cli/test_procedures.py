"""``virtproto procs``."""

from __future__ import annotations

import json
import sys

import pytest

import virtproto
import virtproto.admin
import virtproto.sync
from virtproto.cli.procedure_page import _BY_HAND
from virtproto.cli.procedures import print_procedures, split_enumerator
from virtproto.errors import UsageError
from virtproto.model.procedure_uses import METHODS


def rows(capsys: pytest.CaptureFixture[str], pattern: str, program: str | None = None) -> object:
    print_procedures(pattern, program, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_a_procedure_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "DOMAIN_GET_INF") == [
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


def shown(capsys: pytest.CaptureFixture[str], pattern: str, program: str | None = None) -> str:
    print_procedures(pattern, program, as_json=False)
    return capsys.readouterr().out


def test_one_procedure_has_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        shown(capsys, "domain_get_xml_desc")
        == """\
DOMAIN_GET_XML_DESC, number 14 of program remote
REMOTE_PROC_DOMAIN_GET_XML_DESC

Since      0.0.3
Priority   low: it may take long
Access     domain:read; domain:read_secure if VIR_DOMAIN_XML_SECURE is set; \
domain:read_secure if VIR_DOMAIN_XML_MIGRATABLE is set

Arguments  remote_domain_get_xml_desc_args
  dom     remote_nonnull_domain  written as name, UUID or number
    name  string<4194304>
    uuid  opaque[16]
    id    int
  flags   unsigned int           DomainXMLFlags: SECURE | INACTIVE | UPDATE_CPU | MIGRATABLE

Reply      remote_domain_get_xml_desc_ret
  xml  string<4194304>  secret

Methods    Domain.get_xml_description, Domain.migrate, Domain.migrate2
Call       virtproto call DOMAIN_GET_XML_DESC dom=NAME
"""
    )


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (
            "DOMAIN_EVENT_LIFECYCLE",
            ("Events     DomainLifecycle", "the daemon sends it", "Message "),
        ),
        ("DOMAIN_EVENT_LIFECYCLE", ("DomainEventType: DEFINED, UNDEFINED",)),
        ("STORAGE_VOL_UPLOAD", ("Stream     to the daemon, with holes where VIR_STORAGE_VOL_UP",)),
        ("STORAGE_VOL_UPLOAD", ("Call       STORAGE_VOL_UPLOAD opens a stream",)),
        ("DOMAIN_SET_USER_PASSWORD", ("optional; secret",)),
        ("DOMAIN_BLOCK_COPY", ("known are bandwidth (ullong)", "params.bandwidth=VALUE")),
        ("CONNECT_LIST_ALL_DOMAINS", ("Filtered   only objects are returned for which",)),
        ("CONNECT_GET_TYPE", ("Arguments  none", "Methods    Connection.get_type")),
        ("AUTH_SASL_STEP", ("Methods    virtproto.open, where the daemon asks",)),
        ("CONNECT_DOMAIN_EVENT_REGISTER_ANY", ("Methods    Connection.events",)),
        ("DOMAIN_MIGRATE_PREPARE_TUNNEL3", ("Methods    none: one daemon calls it",)),
        ("qemu:3", ("DOMAIN_AGENT_COMMAND, number 3 of program qemu", "call qemu:DOMAIN_AGENT_C")),
        ("STORAGE_VOL_GET_INFO", ("vol=POOL/VOLUME",)),
        ("DOMAIN_EVENT_NIC_MAC_CHANGE", ("Since      11.3.0 or before",)),
        ("DOMAIN_CREATE", ("Also: DOMAIN_CREATE_XML, DOMAIN_CREATE_WITH_FLAGS",)),
    ],
)
def test_a_page_tells(
    capsys: pytest.CaptureFixture[str], pattern: str, words: tuple[str, ...]
) -> None:
    said = shown(capsys, pattern)
    for each in words:
        assert each in said


def test_a_name_in_several_programs_has_several_pages(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "CONNECT_OPEN")
    assert "of program remote" in said
    assert "of program admin" in said
    assert "use a method of virtproto.admin" in said
    assert "of program remote" not in shown(capsys, "CONNECT_OPEN", "admin")
    assert "of program remote" not in shown(capsys, "ADMIN_PROC_CONNECT_OPEN")


def test_every_procedure_has_a_page_and_every_call_on_it_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for program, count in (("remote", 456), ("qemu", 7), ("lxc", 1), ("admin", 20)):
        for number in range(1, count + 1):
            print_procedures(str(number), program, as_json=True)
            (page,) = json.loads(capsys.readouterr().out)
            assert page["number"] == number
            assert page["methods"] or page["events"] or page["call"]
            assert "call" in page["call"] or "event" in page["call"] or program == "admin"


def test_methods_on_pages_exist() -> None:
    for named in (*METHODS.values(), *_BY_HAND.values()):
        for each in named:
            owner, _, name = each.rpartition(".")
            if owner in ("virtproto", "virtproto.admin"):
                there: object = sys.modules[owner]
            else:
                there = getattr(virtproto.admin, owner, None) or getattr(virtproto.sync, owner)
            assert callable(getattr(there, name)), each


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no procedure matches 'smoke'"):
        print_procedures("smoke", None, as_json=False)
    with pytest.raises(UsageError, match="did you mean DOMAIN_GET_INFO"):
        print_procedures("domian_get_info", None, as_json=False)
    with pytest.raises(UsageError, match="no program 'smoke'; there are remote, qemu, lxc, admin"):
        print_procedures("", "smoke", as_json=False)
