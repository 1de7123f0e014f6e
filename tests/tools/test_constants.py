"""Tests of reading constants.toml: the names that things get, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdrgen.constants import Constants, read_constants
from xdrgen.emit_constants import emit_constants
from xdrgen.errors import ContractError
from xdrgen.load import PROTOCOL_DEFS


def read(tmp_path: Path, text: str) -> Constants:
    """Return what a constants.toml of this text says."""
    path = tmp_path / "constants.toml"
    path.write_text(text)
    return read_constants(path)


def enum_of(*members: str, name: str = "virDomainThing", settings: str = "") -> str:
    """Return an enum's table; members are numbered from 0 as powers of two."""
    numbers = [0, *(1 << bit for bit in range(len(members) - 1))]
    lines = [f"{member} = {number}" for member, number in zip(members, numbers, strict=True)]
    return "\n".join([f"[{name}]", 'about = "Which it is."', settings, *lines])


# -- names


@pytest.mark.parametrize(
    ("c_name", "name", "flags"),
    [
        ("virDomainState", "DomainState", False),
        ("virDomainVcpuFlags", "DomainVcpuFlags", True),
        ("virDomainUndefineFlagsValues", "DomainUndefineFlags", True),
        ("virDomainAgentResponseTimeoutValues", "DomainAgentResponseTimeout", False),
        ("virIPAddrType", "IPAddrType", False),
    ],
)
def test_a_class_loses_what_says_nothing(
    tmp_path: Path, c_name: str, name: str, flags: bool
) -> None:
    constants = read(tmp_path, enum_of("VIR_A", "VIR_B", name=c_name))
    assert list(constants.enums) == [name]
    assert constants.enums[name].flags is flags
    assert constants.enums[name].c_name == c_name


def test_a_table_may_say_otherwise(tmp_path: Path) -> None:
    settings = 'name = "DomainThings"\nflags = true\nprefixes = ["VIR_DOMAIN_X_", "VIR_"]'
    text = enum_of("VIR_DOMAIN_X_ONE", "VIR_DOMAIN_X_TWO", "VIR_NONE", settings=settings)
    thing = read(tmp_path, text).enums["DomainThings"]
    assert thing.flags
    assert dict(thing.members) == {"ONE": 0, "TWO": 1, "NONE": 2}


@pytest.mark.parametrize(
    ("members", "short"),
    [
        (("VIR_DOMAIN_NOSTATE", "VIR_DOMAIN_RUNNING"), ["NOSTATE", "RUNNING"]),
        (("VIR_X_AFFECT_LIVE", "VIR_X_AFFECT_CONFIG"), ["LIVE", "CONFIG"]),
        # Not within a word, and never the whole of a name.
        (("VIR_X_PRE_A", "VIR_X_PREFIX_A"), ["PRE_A", "PREFIX_A"]),
        (("VIR_X_CRASHED", "VIR_X_CRASHED_BADLY"), ["CRASHED", "CRASHED_BADLY"]),
        # What the enum's own name begins with, of a single member.
        (("VIR_DOMAIN_THING_A_B",), ["A_B"]),
        (("VIR_DOMAIN_OTHER_A",), ["OTHER_A"]),
        (("VIR_DOMAIN_THING",), ["THING"]),
    ],
)
def test_members_lose_what_all_begin_with(
    tmp_path: Path, members: tuple[str, ...], short: list[str]
) -> None:
    assert list(read(tmp_path, enum_of(*members)).enums["DomainThing"].members) == short


def test_strings_and_numbers_lose_their_prefix_alone(tmp_path: Path) -> None:
    constants = read(tmp_path, '[strings]\nVIR_A_B = "x"\n[numbers]\nVIR_A_C = -1\n')
    assert dict(constants.values) == {"A_B": "x", "A_C": -1}


def test_members_are_kept_under_libvirts_names_too(tmp_path: Path) -> None:
    constants = read(tmp_path, enum_of("VIR_DOMAIN_A", "VIR_DOMAIN_B"))
    assert dict(constants.c_members("virDomainThing")) == {"VIR_DOMAIN_A": 0, "VIR_DOMAIN_B": 1}
    assert dict(constants.c_members("virOther")) == {}


# -- what is refused


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("level = 1", ":1: expected a table, found 'level'"),
        ("[domainState]", ":1: expected an enum of libvirt, found 'domainState'"),
        ("[virThing]\nabout = 'It is.'", ":1: expected members, found none"),
        ("[virThing]\nVIR_A = 1", ":1: expected a sentence on one line, found ''"),
        (
            "[virThing]\nabout = 'It is'\nVIR_A = 1",
            ":2: expected a sentence on one line, found 'It",
        ),
        ("[virThing]\nabuot = 'It is.'", ":2: expected about, flags, prefixes, name or a member"),
        ("[virThing]\nabout = 'It is.'\nVIR_A = true", ":3: expected int, found True"),
        ("[virThing]\nabout = 'It is.'\nflags = 1\nVIR_A = 1", ":3: expected bool, found 1"),
        ("[virFlags]\nabout = 'It is.'\nVIR_A = 3", ":3: expected a flag, found 3"),
        ("[virFlags]\nabout = 'It is.'\nVIR_A = -1", ":3: expected a flag, found -1"),
        (
            "[virThing]\nabout = 'It is.'\nVIR_X_A = 1\nVIR_X_2D = 2",
            ":4: expected what is left of VIR_X_2D to be a name, found '2D'",
        ),
        (
            "[virThing]\nabout = 'It is.'\nprefixes = ['VIR_X_']\nVIR_Y = 1",
            ":4: expected VIR_Y to begin with VIR_X_",
        ),
        (
            "[virThing]\nabout = 'It is.'\nprefixes = ['VIR_X_', 'VIR_']\nVIR_X_A = 1\nVIR_A = 2",
            ":1: expected a name of its own, found a second A",
        ),
        ("[strings]\nVIR_A = 1", ":2: expected str, found 1"),
        ("[numbers]\nVIR_A = true", ":2: expected int, found True"),
        ("[strings]\nLIB_A = 'x'", ":2: expected LIB_A to begin with VIR_"),
        ("[left_out]\nVIR_A = 1", ":2: expected str, found 1"),
        (
            "[strings]\nVIR_A = 'x'\n[left_out]\nVIR_A = 'useless'",
            ":4: expected VIR_A once, found it in strings",
        ),
        (
            "[virXy]\nabout = 'It is.'\nVIR_A = 1\n[virXyValues]\nabout = 'It is.'\nVIR_B = 1",
            ":4: expected a name of its own, found a second Xy",
        ),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'constants.toml'}{fault}")


# -- the project's own


def test_what_is_left_out_is_nowhere_and_has_a_reason() -> None:
    import tomllib

    left_out = tomllib.loads((PROTOCOL_DEFS / "constants.toml").read_text())["left_out"]
    printed = emit_constants(read_constants(PROTOCOL_DEFS / "constants.toml"))
    assert left_out
    assert all(reason.strip() for reason in left_out.values())
    for name in left_out:
        assert f"{name.removeprefix('VIR_')} =" not in printed["values.py"]


def test_the_text_depends_on_the_file_alone() -> None:
    once, twice = (
        emit_constants(read_constants(PROTOCOL_DEFS / "constants.toml")) for _ in range(2)
    )
    assert once == twice
    assert set(once) == {"__init__.py", "__init__.pyi", "enums.py", "values.py"}
