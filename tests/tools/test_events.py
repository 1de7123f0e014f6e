"""Tests of the described events: how they are read, held against the contract, and printed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from xdrgen.constants import read_constants
from xdrgen.emit_events import emit_event_records, emit_event_table
from xdrgen.errors import ContractError
from xdrgen.event_check import check_events
from xdrgen.event_read import read_events
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.since import read_since

CONTRACT = load_contract(PROTOCOL_DEFS)
ENUMS = read_constants(PROTOCOL_DEFS / "constants.toml").enums
SINCE = read_since(PROTOCOL_DEFS / "since.toml").numbers(CONTRACT)
WHOLE = (PROTOCOL_DEFS / "events.toml").read_text()

EVENT = """\
[SecretValueChanged]
family = "secret"
id = 1
procedures = ["SECRET_EVENT_VALUE_CHANGED"]
about = "It changed."
"""
FIELD = 'value = { means = "What." }\n'


def read_and_check(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.toml"
    path.write_text(text)
    check_events(read_events(path), CONTRACT, ENUMS)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(ContractError) as caught:
        read_and_check(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path / 'events.toml'}:")


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


def test_the_description_is_sound(tmp_path: Path) -> None:
    read_and_check(tmp_path, WHOLE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 1\n", "1: expected a table, found version"),
        (EVENT.replace("SecretV", "secretV"), "1: expected the name of a record"),
        (EVENT.replace('"secret"', '"secrets"'), "2: SecretValueChanged: expected one of domain"),
        (EVENT.replace("id = 1", "id = true"), "3: SecretValueChanged: expected id, found True"),
        (EVENT.replace('about = "It changed."\n', ""), "1: SecretValueChanged: expected about"),
        (EVENT.replace("changed.", "changed"), "5: SecretValueChanged: about: expected a sentence"),
        (EVENT.replace("It", "It" * 50), "5: SecretValueChanged: about: expected 92 letters"),
        (EVENT.replace('["SECRET_EVENT_VALUE_CHANGED"]', "[]"), "4: SecretValueChanged: expected"),
        (EVENT + "value = 1\n", "6: SecretValueChanged: expected a field, found value"),
        (EVENT + FIELD.replace("value", "count"), "6: SecretValueChanged: expected a field's name"),
        (EVENT + FIELD.replace("value", "from"), "6: SecretValueChanged: expected a field's name"),
        (EVENT + FIELD.replace("means", "mean"), "6: SecretValueChanged: value: expected member"),
        (EVENT + 'value = { member = "v" }\n', "6: SecretValueChanged: value: expected a sentence"),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert fault(tmp_path, text).startswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"DOMAIN_EVENT_REBOOT"', '"DOMAIN_REBOOT"', "expected an event's procedure, found DOMAIN"),
        ('"DOMAIN_EVENT_REBOOT"', '"DOMAIN_EVENT_BOOT"', "expected an event's procedure"),
        (
            '"DOMAIN_EVENT_REBOOT"',
            '"DOMAIN_EVENT_LIFECYCLE"',
            "DOMAIN_EVENT_LIFECYCLE is described as DomainLifecycle",
        ),
        (
            '["DOMAIN_EVENT_REBOOT", "DOMAIN_EVENT_CALLBACK_REBOOT"]',
            '["DOMAIN_EVENT_CALLBACK_REBOOT", "DOMAIN_EVENT_REBOOT"]',
            "expected no registration's ID in the message of DOMAIN_EVENT_CALLBACK_REBOOT",
        ),
        (
            '["DOMAIN_EVENT_BLOCK_JOB_2"]',
            '["DOMAIN_EVENT_BLOCK_JOB"]',
            "DOMAIN_EVENT_BLOCK_JOB is described as DomainBlockJob",
        ),
        ('family = "network"', 'family = "secret"', "expected the secret in the message of NETW"),
        ('member = "offset"', 'member = "offsets"', "there is no offsets in that of DOMAIN_EVENT"),
        (
            'iteration = { means = "How many times it does so, the first time of all included." }',
            "",
            "expected fields for iteration of DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION",
        ),
        ("reason = { older = 0,", "reason = {", "there is no reason in that of DOMAIN_EVENT_PMW"),
        ('"DomainEventWatchdogAction"', '"DomainDogAction"', "there is no set of constants"),
        (
            'path = { means = "The disk\'s file or device on the host." }',
            'path = { enum = "DomainEventType", means = "The disk." }',
            "expected a number for DomainEventType",
        ),
        ("id = 29", "id = 30", "expected an ID of its own in DomainEventID"),
        ("id = 29", "id = 28", "expected an ID of its own in DomainEventID"),
    ],
)
def test_what_the_contract_does_not_bear_out(tmp_path: Path, old: str, new: str, told: str) -> None:
    line, _, rest = fault(tmp_path, changed(old, new)).partition(": ")
    assert line.isdigit()
    assert told in rest


def test_an_event_left_out_is_missed(tmp_path: Path) -> None:
    start = WHOLE.index("[QemuMonitorEvent]")
    told = fault(tmp_path, WHOLE[:start])
    assert told.endswith("expected a description of the event DOMAIN_MONITOR_EVENT")
    without_last_id = WHOLE.replace(WHOLE[WHOLE.index("[SecretValueChanged]") : start], "")
    assert "found none of 1" in fault(tmp_path, without_last_id)


def test_what_is_printed_has_every_event_and_type() -> None:
    events = read_events(PROTOCOL_DEFS / "events.toml")
    texts = emit_event_records(CONTRACT, events, SINCE, ENUMS)
    found = {
        node.name: {
            each.target.id: ast.unparse(each.annotation)
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        }
        for text in texts.values()
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }
    assert list(found) == [event.name for event in events]
    assert found["DomainGraphics"] == {
        "domain": "Domain",
        "phase": "DomainEventGraphicsPhase | int",
        "local": "GraphicsAddress",
        "remote": "GraphicsAddress",
        "auth_scheme": "str",
        "subject": "list[GraphicsIdentity]",
    }
    assert found["DomainJobCompleted"]["parameters"] == "dict[str, ParamValue]"
    assert found["DomainDiskChange"]["old_source_path"] == "str | None"
    assert found["StoragePoolRefresh"] == {"pool": "StoragePool"}


def test_the_table_has_a_row_for_each_procedure() -> None:
    events = read_events(PROTOCOL_DEFS / "events.toml")
    scope: dict[str, dict[tuple[str, int], tuple[object, ...]]] = {}
    exec(emit_event_table(CONTRACT, events)["__init__.py"], scope)
    rows = scope["ROWS"]
    assert len(rows) == sum(len(event.procedures) for event in events)
    wakeup = ("domain", 11, "DOMAIN_EVENT_PMWAKEUP", "DomainPMWakeup", ("reason:absent",), False)
    assert rows["remote", 269] == wakeup
    assert rows["remote", 329][4:] == (("reason",), True)
    assert rows["remote", 173][4][1:] == (  # type: ignore[index]
        "local:address",
        "remote:address",
        "authScheme",
        "subject:identities",
    )
