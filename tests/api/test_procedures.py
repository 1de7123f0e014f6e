"""Every procedure of the contract is a method's, the connection's own, or listed with a reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import virtproto
from virtproto import wire
from virtproto.model.event_kinds import CLOSED, KINDS
from xdrgen.api_model import Method, MethodGroup
from xdrgen.api_read import read_api
from xdrgen.load import PROTOCOL_DEFS

PACKAGE = Path(virtproto.__file__).parent
METHOD_GROUPS = read_api(PROTOCOL_DEFS / "api")
LISTED = tomllib.loads(Path(__file__).with_name("without_method.toml").read_text())
COUNTS = {"remote": 456, "qemu": 7, "lxc": 1, "admin": 20}


def procedures(program: str) -> dict[str, int]:
    """Return every procedure of a program with its number."""
    module = wire.remote.procedures if program == "remote" else getattr(wire, program)
    return {name: row[0] for name, row in module.PROCEDURES.items()}


def program_of(group: MethodGroup, name: str) -> str:
    """Return the program of a procedure that a method of a group names: recipes may use others."""
    return next(each for each in (group.program, *COUNTS) if name in procedures(each))


def described() -> dict[tuple[str, str], list[str]]:
    """Return the methods that call each procedure."""
    found: dict[tuple[str, str], list[str]] = {}
    for group in METHOD_GROUPS:
        for method in group.methods:
            for name in method.calls:
                key = (program_of(group, name), name)
                found.setdefault(key, []).append(f"{group.owner}.{method.name}")
    return found


def is_event(program: str, name: str) -> bool:
    return wire.find_procedure(program, name).is_event


@pytest.mark.parametrize("program", COUNTS)
def test_every_procedure_is_used_or_listed(program: str) -> None:
    every = procedures(program)
    assert len(every) == COUNTS[program]
    listed = {name for each in LISTED.get(program, {}).values() for name in each}
    used = {name for where, name in described() if where == program}
    calls = {name for name in every if not is_event(program, name)}
    assert calls - used - listed == set()
    assert listed - every.keys() == set()


def test_no_procedure_is_both_used_and_listed_with_a_reason() -> None:
    used = set(described())
    listed = {(where, name) for where in LISTED for name in LISTED[where].get("reason", {})}
    assert used & listed == set()


@pytest.mark.parametrize(
    ("program", "name"),
    [(program, name) for program in LISTED for name in LISTED[program].get("life", {})],
)
def test_connection_uses_what_is_listed_as_its_own(program: str, name: str) -> None:
    module = PACKAGE / LISTED[program]["life"][name]
    assert re.search(rf"\b{name}\b", module.read_text())


def _recipes() -> list[tuple[MethodGroup, Method]]:
    return [(group, one) for group in METHOD_GROUPS for one in group.methods if one.recipe]


@pytest.mark.parametrize(
    ("group", "method"),
    _recipes(),
    ids=[f"{group.owner}.{method.name}" for group, method in _recipes()],
)
def test_recipe_knows_the_procedures_it_is_said_to_call(group: MethodGroup, method: Method) -> None:
    text = "\n".join(path.read_text() for path in (PACKAGE / "model" / "recipes").rglob("*.py"))
    for name in method.procedures:
        assert re.search(rf"\b{name}\b", text), name


def test_every_event_is_received() -> None:
    received = {
        (number, wire.find_procedure(number, which).name) for number, which in (*KINDS, CLOSED)
    }
    events = {
        (wire.PROGRAMS[program], name)
        for program in COUNTS
        for name in procedures(program)
        if is_event(program, name)
    }
    assert received == events
    assert len(events) == 56


@pytest.mark.parametrize("key", KINDS)
def test_event_kinds_bear_the_contracts_names(key: tuple[int, int]) -> None:
    assert KINDS[key].name == wire.find_procedure(*key).name
    assert KINDS[key].procedure is wire.find_procedure(*key)
