"""Tests of since.toml: its form, its fit to the contract, and how it grows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.model import Contract
from xdrgen.parser import parse
from xdrgen.since import SinceTable, read_since, release_of_tree, write_since


def contract(*names: str) -> Contract:
    members = ", ".join(f"P_PROC_{name} = {number}" for number, name in enumerate(names, 1))
    return Contract({"p.x": parse(f"enum p_procedure {{ {members} }};", "p.x")})


def test_the_table_of_the_project() -> None:
    table = read_since(PROTOCOL_DEFS / "since.toml")
    numbers = table.numbers(load_contract(PROTOCOL_DEFS))
    assert {program: len(entries) for program, entries in numbers.items()} == {
        "remote": 456,
        "qemu": 7,
        "lxc": 1,
        "admin": 20,
    }
    assert table.level == "12.8.0"
    assert numbers["remote"][16] == "0.0.3"  # virDomainGetInfo
    assert numbers["remote"][426] == "7.1.0"  # virDomainGetMessages
    assert numbers["remote"][438] == "<=9.0.0"  # an event: no C function
    assert numbers["qemu"][7] == "8.2.0"  # virDomainQemuMonitorCommandWithFiles
    assert numbers["admin"][20] == "<=11.3.0"


def test_written_is_read_back(tmp_path: Path) -> None:
    table = SinceTable("1.2.3", {"p": {"A": "0.0.1", "B": "<=1.0.0"}})
    path = tmp_path / "since.toml"
    path.write_text(write_since(table))
    assert read_since(path) == table
    assert (PROTOCOL_DEFS / "since.toml").read_text() == write_since(
        read_since(PROTOCOL_DEFS / "since.toml")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level = 5", "expected level to be a release, found 5"),
        ("p = 5", r"expected \[p\] to be a table, found 5"),
        ('[p]\nA = "soon"', 'expected "1.2.3" or "<=1.2.3" for A, found \'soon\''),
        ('[p]\nA = ">=1.2.3"', 'expected "1.2.3" or "<=1.2.3" for A, found \'>=1.2.3\''),
        ("[p", "since.toml: "),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "since.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=message):
        read_since(path)


def test_missing_and_surplus_entries() -> None:
    table = SinceTable("", {"p": {"A": "1.0.0", "C": "1.0.0"}})
    message = "since.toml: expected p procedure B of p.x, found none"
    with pytest.raises(ContractError, match=re.escape(message)):
        table.numbers(contract("A", "B", "C"))
    message = "since.toml: expected a procedure of p.x, found 'C'"
    with pytest.raises(ContractError, match=re.escape(message)):
        table.numbers(contract("A"))
    message = "since.toml: expected a program that a .x file declares, found 'q'"
    with pytest.raises(ContractError, match=re.escape(message)):
        SinceTable("", {"q": {}}).numbers(Contract({}))


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "since.toml"
    path.write_text('level = "1.0.0"\n\n[p]\nA = "1.0.0"\nC = "1.0.0"\n')
    with pytest.raises(ContractError) as caught:
        read_since(path).numbers(contract("A"))
    assert str(caught.value).startswith(f"{path}:5: ")
    with pytest.raises(ContractError) as caught:
        read_since(path).numbers(contract("A", "B", "C"))
    assert str(caught.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize(
    ("level", "release", "entry"),
    [
        ("12.8.0", "12.9.0", "12.9.0"),
        ("12.8.0", "12.10.0", "<=12.10.0"),
        ("12.8.0", "13.0.0", "<=13.0.0"),
        ("", "13.0.0", "<=13.0.0"),
        ("12.8.0", "12.8.0", "<=12.8.0"),
    ],
)
def test_what_is_new_gets_the_release_if_none_lies_between(
    level: str, release: str, entry: str
) -> None:
    table = SinceTable(level, {"p": {"A": "1.0.0"}})
    extended, added = table.extended(contract("A", "B"), release)
    assert extended == SinceTable(release, {"p": {"A": "1.0.0", "B": entry}})
    assert added == [("p", "B", entry)]


def test_unknown_release_adds_nothing() -> None:
    table = SinceTable("12.8.0", {"p": {"A": "1.0.0"}})
    extended, added = table.extended(contract("A", "B"), None)
    assert extended == table
    assert added == [("p", "B", "")]


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("project(\n  'libvirt', 'c',\n  version: '12.9.0',\n)", "12.9.0"),
        ("  version : '7.0.0',", "7.0.0"),
        ("  meson_version: '>= 0.57.0',", None),
        ("", None),
    ],
)
def test_release_of_a_tree(tmp_path: Path, text: str, release: str | None) -> None:
    (tmp_path / "meson.build").write_text(text)
    assert release_of_tree(tmp_path) == release


def test_tree_without_meson(tmp_path: Path) -> None:
    assert release_of_tree(tmp_path) is None
