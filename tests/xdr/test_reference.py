"""The reference codec against bytes written by hand from RFC 4506, and against hostile ones."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import peak_memory
from tests.xdr.sample import CONTRACT
from virtproto.errors import DecodeError, EncodeError
from virtproto.xdr.contract import Contract
from virtproto.xdr.reference import ReferenceCodec

CODEC = ReferenceCodec(CONTRACT)


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack(">I", number & 0xFFFFFFFF) for number in numbers)


UUID = bytes(range(16))
MACHINE = {"name": "fv0", "uuid": UUID, "id": -1}
MACHINE_XDR = bytes.fromhex("00000003 66763000") + UUID + bytes.fromhex("ffffffff")

SCALARS = {
    "char": st.integers(-(2**7), 2**7 - 1),
    "unsigned_char": st.integers(0, 2**8 - 1),
    "short": st.integers(-(2**15), 2**15 - 1),
    "unsigned_short": st.integers(0, 2**16 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "unsigned_int": st.integers(0, 2**32 - 1),
    "hyper": st.integers(-(2**63), 2**63 - 1),
    "unsigned_hyper": st.integers(0, 2**64 - 1),
    "double": st.floats(allow_nan=False),
}


GOLDEN: list[tuple[str, Any, str]] = [
    ("char", 65, "00000041"),
    ("char", -61, "ffffffc3"),
    ("unsigned char", 200, "000000c8"),
    ("short", -2, "fffffffe"),
    ("unsigned short", 65535, "0000ffff"),
    ("int", -1, "ffffffff"),
    ("int", 2**31 - 1, "7fffffff"),
    ("unsigned int", 2**32 - 1, "ffffffff"),
    ("hyper", -2, "fffffffffffffffe"),
    ("hyper", 9000000, "0000000000895440"),
    ("unsigned hyper", 2**64 - 1, "ffffffffffffffff"),
    ("double", 1.0, "3ff0000000000000"),
    ("color", 1, "00000001"),
    ("name", "", "00000000"),
    ("name", "abcd", "00000004 61626364"),
    ("name", "p\u00e4sse", "00000006 70c3a4737365 0000"),
    ("name", "\udcff", "00000001 ff000000"),
    ("maybe_name", None, "00000000"),
    ("maybe_name", "", "00000001 00000000"),
    ("uuid", UUID, UUID.hex()),
    ("machine", MACHINE, MACHINE_XDR.hex()),
    ("machine_ptr", MACHINE, "00000001" + MACHINE_XDR.hex()),
    ("value", {"type": 7, "value": "a"}, "00000007 00000001 61000000"),
    (
        "param",
        {"field": "hard_limit", "value": {"type": 4, "value": 9007199254740991}},
        "0000000a 686172645f6c696d6974 0000 00000004 001fffffffffffff",
    ),
    (
        "everything",
        {
            "from": None,
            "color": 0,
            "blob": b"\1\2\3\4\5",
            "label": b"p\xc3",
            "model": b"x\0\0\0",
            "octets": b"\x01\xff",
            "numbers": [1, -1],
            "pair": [7, -7],
            "machines": [],
            "one": None,
            "names": ["a", ""],
        },
        "00000000 00000000 00000005 0102030405 000000 00000002 00000070 ffffffc3"
        "00000078 00000000 00000000 00000000 00000001 000000ff"
        "00000002 0000000000000001 ffffffffffffffff 00000007 fffffff9 00000000 00000000"
        "00000002 00000001 61000000 00000000",
    ),
]


def case_name(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) < 20 else None


@pytest.mark.parametrize(("name", "plain", "xdr"), GOLDEN, ids=case_name)
def test_golden_bytes_both_ways(name: str, plain: Any, xdr: str) -> None:
    wanted = bytes.fromhex(xdr)
    assert CODEC.encode(name, plain) == wanted
    assert CODEC.decode(name, wanted, exact=True) == plain
    assert CODEC.check(name, wanted) == len(wanted)


@pytest.mark.parametrize(
    ("name", "xdr", "plain"),
    [
        ("char", words(0xC3), -61),
        ("char", words(0x12345641), 65),
        ("unsigned char", words(0xFFFFFFC8), 200),
        ("short", words(0x0001FFFE), -2),
        ("unsigned short", words(0xFFFF0001), 1),
        ("color", words(77), 77),
        ("maybe_name", words(5, 0), ""),
        ("name", words(1) + b"aXYZ", "a"),
        ("name", words(2) + b"a\0XX", "a\0"),
        ("machine", MACHINE_XDR + b"rest", MACHINE),
    ],
)
def test_what_libvirts_peers_let_pass_is_decoded(name: str, xdr: bytes, plain: object) -> None:
    assert CODEC.decode(name, xdr) == plain


def test_bytes_behind_the_value_are_refused_on_demand() -> None:
    with pytest.raises(DecodeError, match="byte 4: 2 bytes too many"):
        CODEC.decode("int", words(1) + b"xx", exact=True)


LOGIN = {"user": "fred", "password": "pw", "pin": 1, "key": b""}


@pytest.mark.parametrize(
    ("name", "plain", "message"),
    [
        ("machine", {**MACHINE, "name": "a\0b"}, "name: a string cannot hold a NUL byte"),
        ("machine", {**MACHINE, "name": None}, "name: required, got None"),
        ("machine", {**MACHINE, "name": 3}, "name: a string is wanted, got int"),
        ("machine", {**MACHINE, "name": b"x"}, "name: a string is wanted, got bytes"),
        ("machine", {**MACHINE, "name": "x" * 21}, "name: 21 bytes, 20 are allowed"),
        ("machine", {**MACHINE, "name": "\u00e4" * 11}, "name: 22 bytes, 20 are allowed"),
        ("machine", {**MACHINE, "name": "\ud800"}, "name: the string has no UTF-8 form"),
        ("machine", {**MACHINE, "uuid": b"short"}, "uuid: 5 bytes, 16 are wanted"),
        ("machine", {**MACHINE, "uuid": "0" * 16}, "uuid: bytes is wanted, got str"),
        ("machine", {**MACHINE, "id": 2**31}, "id: 2147483648 is outside int -2147483648.."),
        ("machine", {**MACHINE, "id": 1.0}, "id: int is wanted, got float"),
        ("machine", {**MACHINE, "id": 10**5000}, "id: a number of 16610 bits is outside int"),
        ("machine", {"name": "x", "uuid": UUID}, "id: required, but missing"),
        ("machine", {**MACHINE, "extra": 1}, "machine has no field 'extra'"),
        ("machine", [], "machine is wanted, got list"),
        ("machine", None, "required, got None"),
        ("unsigned int", -1, "-1 is outside unsigned int 0..4294967295"),
        ("hyper", 2**63, "is outside hyper"),
        ("unsigned hyper", -1, "-1 is outside unsigned hyper"),
        ("char", 128, "128 is outside char -128..127"),
        ("unsigned char", 256, "256 is outside unsigned char 0..255"),
        ("short", -32769, "is outside short"),
        ("unsigned short", 65536, "is outside unsigned short"),
        ("color", "RED", "int is wanted, got str"),
        ("double", "1.0", "a number is wanted, got str"),
        ("double", 10**400, "too large for a double"),
        ("value", {"type": 9, "value": 1}, "value has no arm 9"),
        ("value", {"type": None, "value": 1}, "value has no arm of type NoneType"),
        ("value", {"value": 1}, "value .type and value. is wanted, got dict"),
        ("value", {"type": 1, "value": "x"}, "i: int is wanted, got str"),
        (
            "param_list",
            {"params": [{"field": "a", "value": {"type": 2, "value": -1}}]},
            r"params\[0\].value.ui: -1 is outside unsigned int",
        ),
        ("big", {"machines": [MACHINE, {**MACHINE, "id": None}]}, r"machines\[1\].id: required"),
        ("big", {"machines": 5}, "machines: a list is wanted, got int"),
        ("login", {**LOGIN, "key": bytes(65)}, "key: 65 bytes, 64 are allowed"),
    ],
)
def test_what_does_not_fit_is_refused_by_path(name: str, plain: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        CODEC.encode(name, plain)


@pytest.mark.parametrize("field", ["password", "pin", "key"])
@pytest.mark.parametrize(
    "value", ["s3cr\0t", "s3cret" * 9, "s3\ud800", -53, 5353535353, b"s3" * 99]
)
def test_no_secret_value_is_in_an_error(field: str, value: object) -> None:
    with pytest.raises(EncodeError) as caught:
        CODEC.encode("login", {**LOGIN, field: value})
    assert caught.value.path == field
    assert "s3" not in str(caught.value)
    assert "53" not in str(caught.value)


@pytest.mark.parametrize("length", [3, 27, 2**31, 2**32 - 1])
@pytest.mark.parametrize(
    ("name", "path"),
    [("name", ""), ("everything", "blob"), ("param_list", "params"), ("big", "machines")],
)
def test_hostile_length_words_are_refused_at_once(name: str, path: str, length: int) -> None:
    prefix = words(0, 0) if name == "everything" else b""
    started = time.monotonic()
    with pytest.raises(DecodeError) as caught:
        CODEC.decode(name, prefix + words(length) + b"\xff\xff")
    assert time.monotonic() - started < 1
    assert caught.value.offset == len(prefix)
    assert (caught.value.path or "") == path


def test_a_count_that_fits_the_limit_but_not_the_bytes_allocates_nothing() -> None:
    payload = words(16384) + bytes(16384 * 24 - 1)

    def refuse() -> None:
        with pytest.raises(DecodeError, match="16384 elements cannot be in 393215 bytes"):
            CODEC.decode("big", payload)

    assert peak_memory(refuse) < 200_000


def test_checking_keeps_nothing_of_a_large_payload() -> None:
    payload = words(16384) + bytes(24) * 16384

    def check() -> None:
        assert CODEC.check("big", payload) == len(payload)

    assert peak_memory(check) < len(payload) // 2


@pytest.mark.parametrize("name", ["everything", "machine", "param_list", "scalars"])
def test_every_cut_is_refused_with_an_offset_within(name: str) -> None:
    plain: dict[str, Any] = {
        "everything": GOLDEN[-1][1],
        "machine": MACHINE,
        "param_list": {
            "params": [
                {"field": "abc", "value": {"type": kind, "value": "text" if kind == 7 else 1}}
                for kind in range(1, 8)
            ]
        },
        "scalars": dict.fromkeys(SCALARS, 1),
    }
    whole = CODEC.encode(name, plain[name])
    assert CODEC.decode(name, whole) == plain[name]
    for size in range(len(whole)):
        with pytest.raises(DecodeError) as caught:
            CODEC.decode(name, whole[:size])
        assert caught.value.offset is not None
        assert caught.value.offset <= size


def test_errors_of_decoding_name_offset_and_path() -> None:
    payload = words(1, 5) + b"state" + bytes(3) + words(9)
    with pytest.raises(DecodeError) as caught:
        CODEC.decode("param_list", payload)
    assert str(caught.value) == "byte 16: params[0].value: value has no arm 9"
    assert (caught.value.offset, caught.value.path) == (16, "params[0].value")


def test_nesting_is_bounded_both_ways() -> None:
    with pytest.raises(DecodeError, match="nested deeper than 32"):
        CODEC.decode("link", words(1) * 10_000)
    plain: dict[str, Any] = {"next": None}
    for _ in range(10_000):
        plain = {"next": plain}
    with pytest.raises(EncodeError, match="nested deeper than 32"):
        CODEC.encode("link", plain)


def test_elements_without_size_do_not_loop_for_ever() -> None:
    contract = Contract(
        {"none": ("struct", ()), "many": ("struct", (("items", "none", "variable", 2**32 - 1),))}
    )
    with pytest.raises(DecodeError, match="cannot be in 0 bytes"):
        ReferenceCodec(contract).decode("many", words(2**32 - 1))


@given(st.fixed_dictionaries(SCALARS))
def test_scalars_are_what_struct_makes_of_them(plain: dict[str, Any]) -> None:
    packed = CODEC.encode("scalars", plain)
    assert packed == struct.pack(">iIiIiIqQd", *(plain[field] for field in SCALARS))
    assert CODEC.decode("scalars", packed, exact=True) == plain


@given(st.binary(max_size=200), st.sampled_from(["everything", "param_list", "stats", "link"]))
def test_any_bytes_decode_or_are_refused(data: bytes, name: str) -> None:
    try:
        plain = CODEC.decode(name, data)
    except DecodeError:
        with pytest.raises(DecodeError) as caught:
            CODEC.check(name, data)
        assert caught.value.offset is not None
    else:
        assert CODEC.check(name, data) <= len(data)
        assert isinstance(plain, dict)
