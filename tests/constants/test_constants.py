"""Enums, flag sets and named strings: made when used, whole, and as type checkers see them."""

from __future__ import annotations

import ast
import copy
import keyword
import pickle
import subprocess
import sys
import threading
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

import virtproto
from virtproto import constants
from virtproto.constants import values as value_module
from virtproto.constants.enums import ENUMS

STUB = Path(constants.__file__ or "").with_suffix(".pyi")
VALUES = {name: value for name, value in vars(value_module).items() if name.isupper()}


def printed_by(code: str) -> str:
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def enum(name: str) -> type[IntEnum | IntFlag]:
    """Return an enum by its name."""
    made: type[IntEnum | IntFlag] = getattr(constants, name)
    assert issubclass(made, IntEnum | IntFlag)
    return made


# -- what there is


@pytest.mark.parametrize(
    ("member", "number"),
    [
        (constants.DomainState.RUNNING, 1),
        (constants.DomainVcpuFlags.GUEST, 8),
        (constants.ErrorNumber.NO_DOMAIN, 42),
        (constants.ErrorNumber.WAR_NO_NETWORK, 41),
        (constants.NetworkUpdateCommand.ADD_LAST, 3),
        (constants.VcpuHostCpuState.OFFLINE, -1),
        (constants.ConnectListAllNodeDeviceFlags.ACTIVE, 1 << 31),
        (constants.DOMAIN_MEMORY_PARAM_UNLIMITED, 9007199254740991),
    ],
)
def test_well_known_members_have_libvirts_numbers(member: int, number: int) -> None:
    assert member == number


def test_a_string_is_libvirts() -> None:
    assert constants.DOMAIN_SCHEDULER_CPU_SHARES == "cpu_shares"
    assert constants.DOMAIN_STATS_VCPU_SUFFIX_TIME == ".time"


@pytest.mark.parametrize(
    "name",
    ["DomainUndefineFlags", "DomainShutdownFlags", "DomainAgentResponseTimeout", "IPAddrType"],
)
def test_names_are_libvirts_without_what_says_nothing(name: str) -> None:
    assert name in ENUMS


@pytest.mark.parametrize("name", ENUMS)
def test_every_enum_is_as_its_table_says(name: str) -> None:
    flags, c_name, about, members = ENUMS[name]
    made = enum(name)
    assert getattr(constants, name) is made
    assert issubclass(made, IntFlag if flags else IntEnum)
    assert (made.__name__, made.__module__) == (name, "virtproto.constants")
    assert made.__doc__ == f"{about}\n\nSource: {c_name}."
    assert {key: int(member) for key, member in made.__members__.items()} == members
    assert not [key for key in members if keyword.iskeyword(key) or not key.isupper()]


@pytest.mark.parametrize("name", VALUES)
def test_every_string_and_number_is_there(name: str) -> None:
    assert getattr(constants, name) == VALUES[name]
    assert type(VALUES[name]) in (str, int)


def test_every_name_is_listed_and_a_name_of_its_own() -> None:
    assert set(ENUMS) | set(VALUES) | {"member"} <= set(dir(constants))
    assert not set(ENUMS) & set(VALUES)


def test_sets_of_flags_and_enums_are_told_apart() -> None:
    flags = {name for name, row in ENUMS.items() if row[0]}
    assert not {name for name in ENUMS if name.endswith("Flags")} - flags
    assert not {name for name in flags if name.endswith(("State", "Reason", "DetailType", "ID"))}
    assert {name for name in flags if not name.endswith("Flags")} == {
        "DomainGuestInfoTypes",
        "DomainMessageType",
        "DomainModificationImpact",
        "DomainStatsTypes",
        "EventHandleType",
        "StreamEventType",
    }


def test_members_of_flag_sets_are_single_bits() -> None:
    for name, (flags, _, _, members) in ENUMS.items():
        if flags:
            assert not [key for key, value in members.items() if value & (value - 1)], name


# -- one at a time


def test_touching_an_enum_makes_no_other() -> None:
    made = printed_by(
        "from virtproto import constants; constants.DomainState.RUNNING;"
        "print([n for n, v in vars(constants).items() if isinstance(v, type)])"
    )
    assert made == "['DomainState']"


def test_importing_the_package_does_not_load_the_constants() -> None:
    loaded = printed_by(
        "import virtproto; before = set(sys.modules); virtproto.constants;"
        "print('virtproto.constants' in before, 'enum' in sys.modules)"
    )
    assert loaded == "False False"


def test_a_string_needs_no_enum() -> None:
    code = "from virtproto.constants import PERF_PARAM_CMT; print('enum' in sys.modules)"
    assert printed_by(code) == "False"


def test_threads_that_ask_at_once_get_the_same_class() -> None:
    vars(constants).pop("SecretUsageType", None)
    start = threading.Barrier(8)
    got: list[object] = []

    def ask() -> None:
        start.wait(30)
        got.append(constants.SecretUsageType)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 8
    assert len(set(got)) == 1


# -- members


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        constants.DomainState.PAUSED,
        constants.DomainVcpuFlags.LIVE | constants.DomainVcpuFlags.CONFIG,
        constants.DomainVcpuFlags(1 << 20 | 1),
        constants.DomainMemoryStatTags,
    ],
    ids=str,
)
def test_members_can_be_pickled_and_copied(value: object, protocol: int) -> None:
    for twin in (pickle.loads(pickle.dumps(value, protocol)), copy.deepcopy(value)):
        assert twin == value
        assert repr(twin) == repr(value)


def test_members_show_their_name_and_number() -> None:
    assert repr(constants.DomainState.RUNNING) == "<DomainState.RUNNING: 1>"
    both = constants.DomainDeviceModifyFlags.LIVE | constants.DomainDeviceModifyFlags.CONFIG
    assert repr(both) == "<DomainDeviceModifyFlags.LIVE|CONFIG: 3>"


@pytest.mark.parametrize(
    ("member", "alias"),
    [
        (constants.DomainSnapshotListFlags.ROOTS, constants.DomainSnapshotListFlags.DESCENDANTS),
        (constants.KeycodeSet.QNUM, constants.KeycodeSet.RFB),
    ],
)
def test_an_equal_number_is_an_alias(member: int, alias: int) -> None:
    assert alias is member


def test_a_number_becomes_its_member() -> None:
    for _ in range(2):
        assert constants.member("DomainState", 5) is constants.DomainState.SHUTOFF
        assert constants.member("VcpuHostCpuState", -2) is constants.VcpuHostCpuState.UNAVAILABLE


def test_a_number_without_a_name_stays_a_number() -> None:
    found = constants.member("DomainState", 99)
    assert found == 99
    assert type(found) is int


@pytest.mark.parametrize("value", [0, 1, 3, 1 << 20, 1 << 20 | 3, 0xFFFFFFFF])
def test_flags_become_their_combination(value: int) -> None:
    found = constants.member("DomainVcpuFlags", value)
    assert found == value
    assert type(found) is constants.DomainVcpuFlags


def test_a_name_that_is_no_enum_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"no enum 'DomianState'.*near it: DomainState"):
        constants.member("DomianState", 1)
    with pytest.raises(AttributeError, match="no enum 'PERF_PARAM_CMT'"):
        constants.member("PERF_PARAM_CMT", 1)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("DomainStates", "DomainState"),
        ("DOMAIN_SCHEDULER_CPU_SHARE", "DOMAIN_SCHEDULER_CPU_SHARES"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_near(name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'; near it: {near}\b"):
        getattr(constants, name)


@pytest.mark.parametrize("name", ["zzz", "_private", "__path2__"])
def test_an_unknown_name_like_no_other_is_refused(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'$"):
        getattr(constants, name)


def test_the_package_offers_the_module() -> None:
    assert virtproto.constants is constants


# -- types


def test_type_checkers_see_what_there_is() -> None:
    declared: dict[str, tuple[bool, str, dict[str, int]]] = {}
    functions = set()
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = {
                target.id: ast.literal_eval(each.value)
                for each in node.body
                if isinstance(each, ast.Assign)
                for target in each.targets
                if isinstance(target, ast.Name)
            }
            flags = [ast.unparse(base) for base in node.bases] == ["IntFlag"]
            declared[node.name] = flags, ast.get_docstring(node) or "", members
        elif isinstance(node, ast.FunctionDef):
            functions.add(node.name)
    runtime = {
        name: (flags, f"{about}\n\nSource: {c_name}.", members)
        for name, (flags, c_name, about, members) in ENUMS.items()
    }
    assert declared == runtime
    assert functions == {"member", "__dir__"}
    assert "from virtproto.constants.values import *" in STUB.read_text()
