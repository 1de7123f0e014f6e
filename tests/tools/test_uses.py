"""Tests of the table that says which methods use a procedure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xdrgen.api_read import read_api, read_group
from xdrgen.emit_uses import emit_uses
from xdrgen.load import PROTOCOL_DEFS, load_contract

CONTRACT = load_contract(PROTOCOL_DEFS)


def tables(groups: list[Any]) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(emit_uses(CONTRACT, groups)["__init__.py"], scope)
    return scope


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return tables(read_api(PROTOCOL_DEFS / "api"))


def test_methods_that_make_the_call_come_before_those_that_may(whole: dict[str, Any]) -> None:
    assert whole["METHODS"]["remote", 14] == (
        "Domain.get_xml_description",
        "Domain.migrate",
        "Domain.migrate2",
    )
    # The older and the newer way of one method.
    assert whole["METHODS"]["remote", 9] == ("Domain.create",)
    assert whole["METHODS"]["remote", 196] == ("Domain.create",)


def test_each_described_procedure_has_its_methods(whole: dict[str, Any]) -> None:
    counted = 0
    for group in read_api(PROTOCOL_DEFS / "api"):
        for method in group.methods:
            counted += len(set(method.calls))
    assert sum(map(len, whole["METHODS"].values())) == counted


def test_numbers_and_typed_parameters_have_their_sets(whole: dict[str, Any]) -> None:
    assert whole["ENUMS"]["remote", 14] == {"flags": "DomainXMLFlags"}
    assert whole["KNOWN_SETS"]["remote", 345] == {"params": "BLOCK_COPY"}


def test_what_a_recipe_means_is_not_said_of_calls_with_methods_of_their_own(
    whole: dict[str, Any],
) -> None:
    # Domain.migrate makes both calls, and only one of them takes its flags.
    assert ("remote", 212) not in whole["ENUMS"]  # DOMAIN_GET_STATE
    assert whole["ENUMS"]["remote", 213] == {"flags": "DomainMigrateFlags"}


def test_a_procedure_of_another_program_is_found(tmp_path: Path) -> None:
    path = tmp_path / "things.toml"
    path.write_text(
        'owner = "Domain"\nclass = "Things"\nabout = "Things."\nprogram = "qemu"\n'
        '[both]\nrecipe = "a.b"\nprocedures = ["DOMAIN_AGENT_COMMAND", "DOMAIN_GET_VCPUS_FLAGS"]\n'
        'doc = "Do."\n[both.parameters]\nflags = { enum = "DomainVcpuFlags" }\n'
        'other = { enum = "DomainState" }\n'
    )
    found = tables([read_group(path)])
    assert found["METHODS"] == {("qemu", 3): ("Domain.both",), ("remote", 200): ("Domain.both",)}
    # What is no member of the arguments says nothing of them.
    assert found["ENUMS"]["remote", 200] == {"flags": "DomainVcpuFlags"}
