"""Arguments on their way in: what is taken, and how the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntFlag
from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model import arguments
from virtproto.model.object_handle import UuidHandle, handle
from virtproto.model.typedvalues import to_params
from virtproto.wire.remote.types import NonnullDomain, NonnullNetwork

INTEGERS: dict[str, tuple[Callable[[str, Any], int], int, int]] = {
    "uint": (arguments.to_uint, 0, 2**32 - 1),
    "flags": (arguments.to_flags, 0, 2**32 - 1),
    "int": (arguments.to_int, -(2**31), 2**31 - 1),
    "ulong": (arguments.to_ulong, 0, 2**64 - 1),
    "long": (arguments.to_long, -(2**63), 2**63 - 1),
}


class Machine(UuidHandle):
    __slots__ = ()


class Net(UuidHandle):
    __slots__ = ()


HERE, THERE = object(), object()


def machine(connection: object = HERE) -> Machine:
    return handle(Machine, connection, NonnullDomain(name="web", uuid=bytes(16), id=-1))


@pytest.mark.parametrize("kind", INTEGERS)
def test_whole_numbers_within_their_range_pass(kind: str) -> None:
    convert, lowest, highest = INTEGERS[kind]
    assert convert("n", lowest) == lowest
    assert convert("n", highest) == highest
    for wrong in (lowest - 1, highest + 1):
        with pytest.raises(UsageError, match=rf"^n: {wrong} is not within"):
            convert("n", wrong)


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("wrong", [None, "1", 1.0, b"1", [1]])
def test_what_is_no_whole_number_is_a_type_error(kind: str, wrong: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^n: ") as caught:
        INTEGERS[kind][0]("n", wrong)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)


def test_lists_of_numbers_name_the_place() -> None:
    assert arguments.to_uints("ids", (1, 2), 2) == [1, 2]
    with pytest.raises(UsageError, match=r"^ids\[1\]: -1 is not within"):
        arguments.to_uints("ids", [0, -1], 5)
    with pytest.raises(UsageError, match=r"^ids: more than the 2 allowed"):
        arguments.to_uints("ids", [1, 2, 3], 2)
    with pytest.raises(ArgumentTypeError, match=r"^ids: expected several whole numbers, not int"):
        arguments.to_uints("ids", 5, 2)  # type: ignore[arg-type]


def test_text_passes_whole_or_not_at_all() -> None:
    assert arguments.to_text("name", "büro") == "büro"
    assert arguments.to_optional_text("name", None) is None
    with pytest.raises(ArgumentTypeError, match=r"^name: a text is required, not None"):
        arguments.to_text("name", None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"^name: expected text, not bytes"):
        arguments.to_text("name", b"web")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^name: a NUL"):
        arguments.to_text("name", "we\0b")
    assert arguments.to_text("name", "caf\udce9") == "caf\udce9"  # a byte of another encoding
    with pytest.raises(UsageError, match=r"^name: a character in it cannot be sent"):
        arguments.to_text("name", "\ud800")
    with pytest.raises(UsageError, match=r"^name: longer than"):
        arguments.to_text("name", "ü" * (2 * 1024 * 1024 + 1))
    with pytest.raises(UsageError, match=r"^name: longer than"):
        arguments.to_text("name", "x" * (4 * 1024 * 1024 + 1))
    assert len(arguments.to_text("name", "x" * 4 * 1024 * 1024)) == 4194304


def test_texts_are_several() -> None:
    assert arguments.to_texts("keys", iter(["a", "b"]), 2) == ["a", "b"]
    with pytest.raises(ArgumentTypeError, match=r"^keys: expected several texts, not one"):
        arguments.to_texts("keys", "ab", 2)
    with pytest.raises(UsageError, match=r"^keys\[1\]: a NUL"):
        arguments.to_texts("keys", ["a", "\0"], 2)


def test_truth_values() -> None:
    assert arguments.to_bool("flag", True) == 1
    assert arguments.to_bool("flag", 0) == 0
    with pytest.raises(UsageError, match=r"^flag: expected True or False, not 2"):
        arguments.to_bool("flag", 2)
    with pytest.raises(ArgumentTypeError, match=r"^flag: "):
        arguments.to_bool("flag", "yes")  # type: ignore[arg-type]


def test_bytes_are_never_shown() -> None:
    assert arguments.to_bytes("value", bytearray(b"ab"), 2) == b"ab"
    assert arguments.to_bytes("value", memoryview(b"abcd")[::2], 2) == b"ac"
    with pytest.raises(UsageError, match=r"^value: 3 bytes are more") as caught:
        arguments.to_bytes("value", b"pwd", 2)
    assert "pwd" not in str(caught.value)
    for wrong in ("pwd", 3, None, [1]):
        with pytest.raises(ArgumentTypeError, match=r"^value: expected bytes") as refused:
            arguments.to_bytes("value", wrong, 9)  # type: ignore[arg-type]
        assert "pwd" not in str(refused.value)


def test_objects_are_of_their_class_and_connection() -> None:
    mine = machine()
    assert arguments.to_object("dom", mine, Machine, HERE) is mine._wire
    with pytest.raises(UsageError, match=r"^dom: .* belongs to another connection"):
        arguments.to_object("dom", machine(THERE), Machine, HERE)
    net = handle(Net, HERE, NonnullNetwork(name="lan", uuid=bytes(16)))
    with pytest.raises(ArgumentTypeError, match=r"^dom: expected a Machine, not Net"):
        arguments.to_object("dom", net, Machine, HERE)
    assert arguments.to_objects("doms", (mine,), Machine, HERE, 1) == [mine._wire]
    with pytest.raises(UsageError, match=r"^doms\[1\]: .* belongs to another connection"):
        arguments.to_objects("doms", [mine, machine(THERE)], Machine, HERE, 9)


def test_mappings_are_copied_and_their_names_are_texts() -> None:
    given = {"weight": 5}
    taken = arguments.to_mapping("params", given)
    assert taken == given
    assert taken is not given
    assert arguments.to_optional_mapping("params", None) is None
    for wrong in (5, "ab", [1], [], [("weight", 5)], None):
        with pytest.raises(ArgumentTypeError, match=r"^params: "):
            arguments.to_mapping("params", wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"^params: a name: "):
        arguments.to_mapping("params", {5: 5})  # type: ignore[dict-item]


def test_optional_leaves_none_alone() -> None:
    assert arguments.optional(arguments.to_uint, "n", None) is None
    assert arguments.optional(arguments.to_uint, "n", 5) == 5


def test_flags_are_packed_as_the_last_word() -> None:
    class Flags(IntFlag):
        A = 1
        B = 4

    assert arguments.pack_flags(Flags.A | Flags.B) == b"\0\0\0\5"
    assert arguments.pack_flags(0x80000001) == b"\x80\x00\x00\x01"
    with pytest.raises(UsageError, match=r"^flags: "):
        arguments.pack_flags(-1)


HUGE = 10**5000


@pytest.mark.parametrize("number", [HUGE, -HUGE], ids=["above", "below"])
def test_numbers_too_large_to_write_out_are_shown_by_their_size(number: int) -> None:
    for convert, _, _ in INTEGERS.values():
        with pytest.raises(UsageError, match=r"^n: a number of 16610 bits is not within"):
            convert("n", number)
    with pytest.raises(UsageError, match=r"^n: expected True or False, not a number of 16610 bits"):
        arguments.to_bool("n", number)


def released() -> memoryview:
    view = memoryview(b"ab")
    view.release()
    return view


class KeysOnly:
    def keys(self) -> list[str]:
        return ["a"]


@pytest.mark.parametrize("wrong", [dict, KeysOnly(), {"a": 1}.items(), {"a"}])
def test_what_only_looks_like_a_mapping_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^params: expected a mapping of values by name"):
        arguments.to_mapping("params", wrong)


SEVERAL: list[Callable[[str, Any, int], Any]] = [
    arguments.to_texts,
    arguments.to_uints,
]


@pytest.mark.parametrize("convert", SEVERAL)
@pytest.mark.parametrize(
    "wrong", [b"by", bytearray(b"by"), memoryview(b"by"), released(), {}, {1: "a"}, list, dict, 5]
)
def test_what_is_several_by_accident_is_refused_by_name(
    convert: Callable[[str, Any, int], Any], wrong: Any
) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^codes: expected several"):
        convert("codes", wrong, 9)


def test_a_view_that_was_released_is_refused_by_name() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^value: expected bytes, not memoryview"):
        arguments.to_bytes("value", released(), 9)


def test_no_more_is_taken_than_shows_that_it_is_too_much() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield len(taken)

    with pytest.raises(UsageError, match=r"^ids: more than the 3 allowed"):
        arguments.to_uints("ids", endless(), 3)
    assert taken == [0, 1, 2, 3]


def test_what_a_callers_iterable_raises_passes_as_it_is() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise TypeError("of the caller's own")

    with pytest.raises(TypeError, match=r"^of the caller's own$") as caught:
        arguments.to_uints("ids", broken(), 3)
    assert not isinstance(caught.value, ArgumentTypeError)


def test_objects_of_the_other_colour_are_told_apart() -> None:
    blocking = type("Machine", (Machine,), {"__module__": "virtproto.sync.machine"})
    waiting = type("Machine", (Machine,), {"__module__": "virtproto.aio.machine"})
    other: Any = handle(waiting, HERE, NonnullDomain(name="web", uuid=bytes(16), id=-1))
    words = r"expected a virtproto\.sync Machine, not a virtproto\.aio Machine$"
    with pytest.raises(ArgumentTypeError, match=rf"^dom: {words}"):
        arguments.to_object("dom", other, blocking, HERE)
    with pytest.raises(ArgumentTypeError, match=rf"^peer: {words}"):
        arguments.to_peer("peer", other, blocking)
    with pytest.raises(ArgumentTypeError, match=rf"^stream: {words}"):
        arguments.to_stream("stream", other, blocking, HERE)


SECRET = "pass\ud800word"


def reachable(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and all that led to it."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from reachable(error.__cause__)
        error = error.__context__


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: arguments.to_text("value", SECRET),
        lambda: arguments.to_texts("value", ["a", SECRET], 2),
        lambda: to_params("params", {"password": SECRET}, {}, 1),
        lambda: to_params("params", {SECRET: 1}, {}, 1),
    ],
)
def test_a_refused_text_is_not_within_reach_of_the_error(refuse: Callable[[], Any]) -> None:
    with pytest.raises(UsageError) as caught:
        refuse()
    for each in reachable(caught.value):
        assert not isinstance(each, UnicodeError)
        assert not any(SECRET in str(argument) for argument in each.args)
