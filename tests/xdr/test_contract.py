"""The contract as a thing to look up."""

from __future__ import annotations

import pytest

from tests.xdr.sample import CONTRACT
from virtproto.errors import UsageError
from virtproto.xdr.contract import Contract, Enum, Member, Struct, Union


def scalar(name: str) -> Member:
    return Member("", name, "scalar", None)


def test_types_are_found_by_name_and_of_their_kind() -> None:
    machine = CONTRACT.type("machine")
    assert isinstance(machine, Struct)
    assert [member.name for member in machine.members] == ["name", "uuid", "id"]
    assert isinstance(CONTRACT.type("color"), Enum)
    assert isinstance(CONTRACT.type("name"), Member)
    assert CONTRACT.type("machine") is machine


def test_union_cases_may_be_constants_or_numbers() -> None:
    union = CONTRACT.type("value")
    assert isinstance(union, Union)
    assert {case: arm.name for case, arm in union.arms.items()} == {
        1: "i",
        2: "ui",
        3: "l",
        4: "ul",
        5: "d",
        6: "b",
        7: "s",
    }


def test_secret_fields_are_part_of_the_struct() -> None:
    login = CONTRACT.type("login")
    assert isinstance(login, Struct)
    assert login.secrets == {"password", "pin", "key"}


def test_typedefs_resolve_to_the_declaration_they_stand_for() -> None:
    resolved = CONTRACT.resolve(Member("dom", "maybe_name", "scalar", None))
    assert (resolved.name, resolved.type, resolved.shape) == ("dom", "name", "optional")
    array = Member("names", "name", "variable", 4)
    assert CONTRACT.resolve(array) is array


def test_typedefs_in_a_circle_are_refused() -> None:
    circle = Contract(
        {"a": ("typedef", "b", "scalar", None), "b": ("typedef", "a", "scalar", None)}
    )
    with pytest.raises(UsageError, match="circle"):
        circle.resolve(scalar("a"))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("char", 4),
        ("unsigned hyper", 8),
        ("name", 4),
        ("maybe_name", 4),
        ("uuid", 16),
        ("color", 4),
        ("machine", 24),
        ("machine_ptr", 4),
        ("value", 8),
        ("param", 12),
        ("scalars", 48),
        ("everything", 64),
        ("link", 4),
    ],
)
def test_minimum_size_is_what_the_emptiest_value_takes(name: str, size: int) -> None:
    assert CONTRACT.minimum_size(scalar(name)) == size


def test_fixed_opaque_is_padded_in_the_minimum_size() -> None:
    assert CONTRACT.minimum_size(Member("", "opaque", "fixed", 5)) == 8


def test_a_struct_that_contains_itself_is_refused() -> None:
    endless = Contract({"a": ("struct", (("again", "a", "scalar", None),))})
    with pytest.raises(UsageError, match="contains itself"):
        endless.minimum_size(scalar("a"))


@pytest.mark.parametrize("program", ["sample", 0x123])
@pytest.mark.parametrize("key", ["GET_MACHINE", 1])
def test_procedures_are_found_by_names_and_numbers(program: str | int, key: str | int) -> None:
    procedure = CONTRACT.procedure(program, key)
    assert (procedure.program, procedure.version, procedure.number) == (0x123, 1, 1)
    assert (procedure.name, procedure.args, procedure.ret) == ("GET_MACHINE", "login", "machine")
    assert procedure.msg is None
    assert procedure.annotations == {"priority": ("high",)}


@pytest.mark.parametrize(
    ("program", "key", "named"),
    [("sample", 3, "3"), ("sample", "NONE", "NONE"), ("other", 1, "other")],
)
def test_unknown_procedures_are_refused_by_name(program: str, key: str | int, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        CONTRACT.procedure(program, key)


def test_unknown_types_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="nothing_like_it"):
        CONTRACT.type("nothing_like_it")


def test_a_kind_of_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="bitfield"):
        Contract({"a": ("bitfield", 3)}).type("a")


@pytest.mark.parametrize(
    ("member", "spelling"),
    [
        (Member("", "int", "scalar", None), "int"),
        (Member("", "string", "variable", 20), "string<20>"),
        (Member("", "string", "scalar", None), "string<>"),
        (Member("", "opaque", "fixed", 16), "opaque[16]"),
        (Member("", "machine", "optional", None), "machine *"),
        (Member("", "hyper", "variable", 5), "hyper<5>"),
    ],
)
def test_spelling_is_the_x_languages(member: Member, spelling: str) -> None:
    assert member.spelling == spelling
