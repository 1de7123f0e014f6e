"""The parts that generated code calls, against bytes written by hand from RFC 4506."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import peak_memory
from tests.xdr.sample import Machine
from virtproto.errors import DecodeError, EncodeError
from virtproto.wire import remote
from virtproto.xdr.message import Message
from virtproto.xdr.runtime import (
    RecordLayouts,
    blank,
    check_count,
    exactly,
    layout,
    lazy_enum,
    pack_char_array,
    pack_chars,
    pack_fixed_list,
    pack_list,
    pack_numbers,
    pack_opaque,
    pack_optional,
    pack_string,
    pack_unsigned_char_array,
    pack_unsigned_chars,
    signed_char,
    signed_short,
    unknown_arm,
    unknown_arm_to_pack,
    unpack_messages,
    unpack_numbers,
    unpack_strings,
)

UUID = bytes(range(16))


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def test_layouts_are_big_endian_and_shared() -> None:
    assert layout("Iq").pack(1, -1) == words(1, 0xFFFFFFFF, 0xFFFFFFFF)
    assert layout("Iq") is layout("Iq")


@pytest.mark.parametrize(
    ("text", "xdr"),
    [
        ("", "00000000"),
        ("a", "00000001 61000000"),
        ("abcd", "00000004 61626364"),
        ("p\u00e4", "00000003 70c3a400"),
        ("\udcff", "00000001 ff000000"),
    ],
)
def test_strings(text: str, xdr: str) -> None:
    data = bytes.fromhex(xdr)
    assert pack_string(text, 20, "NAME_MAX") == data
    assert unpack_strings(data, 0, 1, 20, "NAME_MAX") == ([text], len(data))


@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_bytes_survive_as_a_string(raw: bytes, extra: int) -> None:
    data = words(len(raw)) + raw + bytes(-len(raw) % 4)
    (text,), end = unpack_strings(data + bytes(extra), 0, 1, 300, "")
    assert end == len(data)
    if b"\0" in raw:
        with pytest.raises(EncodeError, match="NUL"):
            pack_string(text, 300, "")
    else:
        assert pack_string(text, 300, "") == data


def test_strings_over_the_limit_are_refused_both_ways() -> None:
    for _ in range(2):
        assert pack_string("x" * 20, 20, "NAME_MAX")
        with pytest.raises(EncodeError, match=r"21 .*20 \(NAME_MAX\)"):
            pack_string("x" * 21, 20, "NAME_MAX")
        assert pack_string("x" * 21, 30, "OTHER_MAX")
    with pytest.raises(EncodeError, match="21"):
        pack_string("\u00e4" * 10 + "x", 20, "NAME_MAX")
    with pytest.raises(DecodeError, match="NAME_MAX") as caught:
        unpack_strings(words(1) + b"abcd" + words(21), 0, 2, 20, "NAME_MAX")
    assert caught.value.offset == 8


def test_padding_between_strings_is_ignored() -> None:
    data = words(1) + b"aXYZ" + words(2) + b"bcXY"
    assert unpack_strings(data, 0, 2, 20, "") == (["a", "bc"], len(data))


@pytest.mark.parametrize("length", [3, 27, 2**31, 2**32 - 1])
def test_a_hostile_length_allocates_nothing(length: int) -> None:
    def read() -> None:
        _, end = unpack_strings(words(length) + b"ab", 0, 1, 2**32 - 1, "")
        # Too far: the caller of the outermost reader compares with the end.
        assert end > 6

    assert peak_memory(read) < 10_000


@pytest.mark.parametrize("count", [3, 27, 2**31, 2**32 - 1])
def test_counts_are_checked_against_limit_and_bytes(count: int) -> None:
    check_count(2, 2, "LIST_MAX", 4, bytes(12), 4)
    with pytest.raises(DecodeError, match="LIST_MAX") as caught:
        check_count(count, 2, "LIST_MAX", 4, bytes(12), 4)
    assert caught.value.offset == 0
    with pytest.raises(DecodeError, match=f"{count} elements of at least 4 bytes") as caught:
        check_count(count, 2**32, "LIST_MAX", 4, bytes(12), 4)
    assert caught.value.offset == 0


def test_a_count_at_the_very_end_is_no_negative_number_of_bytes() -> None:
    with pytest.raises(DecodeError, match="in the 0 bytes left"):
        check_count(1, 5, "", 4, bytes(4), 8)


@given(st.binary(max_size=64))
def test_chars_carry_their_sign(raw: bytes) -> None:
    expected = b"".join(struct.pack(">i", c - 256 if c > 127 else c) for c in raw)
    assert pack_char_array(raw, len(raw)) == expected
    assert pack_chars(raw, 64, "") == words(len(raw)) + expected


@given(st.binary(max_size=64))
def test_unsigned_chars_carry_none(raw: bytes) -> None:
    assert pack_unsigned_char_array(raw, len(raw)) == words(*raw)
    assert pack_unsigned_chars(raw, 64, "") == words(len(raw), *raw)


def test_sasl_data_of_a_password_with_an_umlaut() -> None:
    data = b"\0fred\0p\xc3\xa4ssword"
    assert pack_chars(data, 65536, "REMOTE_AUTH_SASL_DATA_MAX") == bytes.fromhex(
        "0000000f 00000000 00000066 00000072 00000065 00000064 00000000 00000070 ffffffc3"
        "ffffffa4 00000073 00000073 00000077 0000006f 00000072 00000064"
    )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_opaque_takes_any_buffer(kind: type[bytes]) -> None:
    for size in range(5):
        expected = words(size) + b"abcd"[:size] + bytes(-size % 4)
        assert pack_opaque(kind(b"abcd"[:size]), 4, "") == expected


@pytest.mark.parametrize("value", [3, "text", None, [1, 2]])
def test_opaque_takes_nothing_else(value: Any) -> None:
    for pack in (pack_opaque, pack_chars, pack_unsigned_chars):
        with pytest.raises(EncodeError, match="bytes are needed"):
            pack(value, 10, "")
    for pack_array in (pack_char_array, pack_unsigned_char_array):
        with pytest.raises(EncodeError, match="bytes are needed"):
            pack_array(value, 2)


def test_opaque_over_its_limit_or_of_another_size_is_refused() -> None:
    for pack in (pack_opaque, pack_chars, pack_unsigned_chars):
        with pytest.raises(EncodeError, match="BLOB_MAX"):
            pack(bytes(5), 4, "BLOB_MAX")
    assert exactly(UUID, 16) == UUID
    for size in (0, 15, 17):
        with pytest.raises(EncodeError, match=f"{size} bytes where there must be 16"):
            exactly(bytes(size), 16)
        for pack_array in (pack_char_array, pack_unsigned_char_array):
            with pytest.raises(EncodeError, match=f"{size} bytes where there must be 16"):
                pack_array(bytes(size), 16)


def test_numbers() -> None:
    packed = pack_numbers("q", [1, -1], 2, "")
    assert packed == bytes.fromhex("00000002 0000000000000001 ffffffffffffffff")
    assert unpack_numbers(packed, 4, 2, "q") == [1, -1]
    assert pack_numbers("i", [], 0, "") == bytes(4)
    with pytest.raises(EncodeError, match=r"3 .*NUMBERS_MAX"):
        pack_numbers("i", [1, 2, 3], 2, "NUMBERS_MAX")


@pytest.mark.parametrize(
    ("check", "low", "high"), [(signed_char, -128, 127), (signed_short, -32768, 32767)]
)
def test_narrow_numbers_are_checked(check: Any, low: int, high: int) -> None:
    assert check(low) == low
    assert check(high) == high
    for value in (low - 1, high + 1):
        with pytest.raises(EncodeError, match=str(value)):
            check(value)


def test_optionals() -> None:
    assert pack_optional(None, layout("i").pack) == words(0)
    assert pack_optional(7, layout("i").pack) == words(1, 7)
    # What is empty or zero is present all the same.
    assert pack_optional(0, layout("i").pack) == words(1, 0)


def test_lists() -> None:
    assert pack_list([1, 2], layout("i").pack, 2, "") == words(2, 1, 2)
    assert pack_list([], layout("i").pack, 2, "") == words(0)
    with pytest.raises(EncodeError, match=r"3 .*LIST_MAX"):
        pack_list([1, 2, 3], layout("i").pack, 2, "LIST_MAX")
    assert pack_fixed_list([1, 2], layout("i").pack, 2) == words(1, 2)
    with pytest.raises(EncodeError, match="1 elements where there must be 2"):
        pack_fixed_list([1], layout("i").pack, 2)


@pytest.mark.parametrize("value", ["abc", b"abc", bytearray(3), {1: 2, 3: 4, 5: 6}, {1, 2, 3}])
def test_what_is_no_list_is_not_taken_apart(value: Any) -> None:
    reason = f"a list is needed, not {type(value).__name__}"
    written: list[object] = []
    with pytest.raises(EncodeError, match=reason):
        pack_list(value, written.append, 9, "")  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match=reason):
        pack_fixed_list(value, written.append, 3)  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match=reason):
        pack_numbers("i", value, 9, "")
    assert written == []


def test_tuples_and_lists_of_a_subclass_are_lists() -> None:
    class Numbers(list[int]):
        pass

    values: Any
    for values in ((1, 2), Numbers([1, 2])):
        assert pack_list(values, layout("i").pack, 2, "") == words(2, 1, 2)
        assert pack_fixed_list(values, layout("i").pack, 2) == words(1, 2)
        assert pack_numbers("i", values, 2, "") == words(2, 1, 2)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (remote.ConnectBaselineCpuArgs(xmlCPUs=cast(Any, "<cpu/>"), flags=0), "xmlCPUs"),
        (remote.ConnectBaselineCpuArgs(xmlCPUs=cast(Any, b"<cpu/>"), flags=0), "xmlCPUs"),
        (remote.NodeGetCellsFreeMemoryRet(cells=cast(Any, b"abc")), "cells"),
        (remote.ConnectListAllDomainsRet(domains=cast(Any, "abc"), ret=3), "domains"),
    ],
)
def test_a_message_names_the_field_that_is_no_list(message: Message, field: str) -> None:
    with pytest.raises(
        EncodeError, match=f"^{field}: a list is wanted, got (str|bytes)$"
    ) as caught:
        message.pack()
    assert caught.value.path == field


def test_messages_are_read_one_after_the_other() -> None:
    machines = [Machine("a", UUID, 1), Machine("longer", UUID, 2), Machine("", UUID, 3)]
    data = b"head" + b"".join(machine.pack() for machine in machines)
    assert unpack_messages(Machine._unpack, data, 4, 3) == (machines, len(data))
    assert unpack_messages(Machine._unpack, data, 4, 0) == ([], 4)


def test_record_layouts_hold_string_tail_and_next_length() -> None:
    layouts = RecordLayouts("16si", 4096, "NAME_MAX")
    unpack, size = layouts[3]
    assert size == 4 + 20 + 4
    assert unpack(b"fv0\0" + UUID + words(7, 9), 0) == (b"fv0", UUID, 7, 9)
    assert layouts[3] == (unpack, size)
    with pytest.raises(DecodeError, match="NAME_MAX"):
        layouts[4097]


def test_record_layouts_keep_a_bounded_number() -> None:
    layouts = RecordLayouts("i", 4096, "NAME_MAX")
    for length in range(4097):
        assert layouts[length][1] == length + -length % 4 + 8
    assert len(layouts) == 257


def test_blank_objects_are_separate_and_unset() -> None:
    made = blank(Machine, 3)
    assert [type(machine) for machine in made] == [Machine] * 3
    assert len({id(machine) for machine in made}) == 3
    assert not any(hasattr(machine, "name") for machine in made)
    assert blank(Machine, 0) == []


def test_an_unknown_arm_is_told_with_its_union() -> None:
    read = unknown_arm(9, "sample_value", 44)
    assert str(read) == "byte 44: sample_value has no arm 9"
    assert (read.offset, read.path) == (44, None)
    given_by_caller = unknown_arm_to_pack("9", "sample_value")
    assert isinstance(given_by_caller, EncodeError)
    assert str(given_by_caller) == "sample_value has no arm of type str"
    assert str(unknown_arm_to_pack(9, "sample_value")) == "sample_value has no arm 9"


def test_a_lazy_enum_stays_in_its_module() -> None:
    module: dict[str, Any] = {"__name__": "somewhere"}
    color = lazy_enum(module, "Color", {"RED": 0, "GREEN": 1})
    assert module["Color"] is color
    assert issubclass(color, IntEnum)
    assert {member.name: member.value for member in color} == {"RED": 0, "GREEN": 1}
    assert (color.__name__, color.__module__) == ("Color", "somewhere")
