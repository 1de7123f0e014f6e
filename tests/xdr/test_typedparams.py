"""The record type of typed parameters: its door, its views, its bytes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import peak_memory
from tests.xdr.sample import CONTRACT
from virtproto.errors import DecodeError, EncodeError
from virtproto.xdr import typedparams as module
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import (
    BOOLEAN,
    DOUBLE,
    INT,
    LLONG,
    STRING,
    UINT,
    ULLONG,
    TypedParam,
    TypedParams,
    is_secret,
    set_secret_parameters,
    unpack_typed_params,
)

CODEC = ReferenceCodec(CONTRACT)


@pytest.fixture(autouse=True)
def _secret_names() -> Iterator[None]:
    before = module._secret_names
    set_secret_parameters(["pass"])
    yield
    set_secret_parameters(before)


# The reply of DOMAIN_GET_MEMORY_PARAMETERS for libvirt's test driver, without the count behind it.
MEMORY = bytes.fromhex(
    "00000003"
    "0000000a686172645f6c696d6974000000000004001fffffffffffff"
    "0000000a736f66745f6c696d6974000000000004001fffffffffffff"
    "0000000f737761705f686172645f6c696d69740000000004001fffffffffffff"
)
MEMORY_ITEMS: list[tuple[str, int, Any]] = [
    (name, ULLONG, 9007199254740991) for name in ("hard_limit", "soft_limit", "swap_hard_limit")
]

EACH: list[tuple[str, int, Any]] = [
    ("i", INT, -1),
    ("ui", UINT, 2**32 - 1),
    ("l", LLONG, -(2**63)),
    ("ul", ULLONG, 2**64 - 1),
    ("d", DOUBLE, 0.5),
    ("b", BOOLEAN, 1),
    ("s", STRING, "p\u00e4"),
]
EACH_XDR = bytes.fromhex(
    "00000007"
    "00000001 69000000 00000001 ffffffff"
    "00000002 75690000 00000002 ffffffff"
    "00000001 6c000000 00000003 8000000000000000"
    "00000002 756c0000 00000004 ffffffffffffffff"
    "00000001 64000000 00000005 3fe0000000000000"
    "00000001 62000000 00000006 00000001"
    "00000001 73000000 00000007 00000003 70c3a400"
)


def test_golden_bytes_both_ways() -> None:
    for items, xdr in ((MEMORY_ITEMS, MEMORY), (EACH, EACH_XDR), ([], bytes(4))):
        params = TypedParams.from_items(items)
        assert params._pack() == xdr
        for _ in range(4):
            assert unpack_typed_params(xdr, 0) == (params, len(xdr))
        assert unpack_typed_params(b"----" + xdr + b"--", 4) == (params, 4 + len(xdr))
        assert CODEC.decode("param_list", xdr)["params"] == [
            {"field": name, "value": {"type": kind, "value": value}} for name, kind, value in items
        ]


def test_it_is_a_sequence_of_triples() -> None:
    params = TypedParams.from_items(EACH)
    assert isinstance(params, Sequence)
    assert list(params) == EACH
    assert len(params) == 7
    assert params[0] == ("i", INT, -1)
    assert params[-1].field == "s"
    assert params[-1].type == STRING
    assert params[-1].value == "p\u00e4"
    assert ("d", DOUBLE, 0.5) in params
    assert params.index(TypedParam(("d", DOUBLE, 0.5))) == 4
    assert params[1:3] == TypedParams.from_items(EACH[1:3])
    assert list(reversed(params)) == EACH[::-1]
    with pytest.raises(IndexError):
        params[7]


def test_views() -> None:
    params = TypedParams.from_items([*EACH, ("b", STRING, "last"), ("x", BOOLEAN, 0)])
    assert params.names == ("i", "ui", "l", "ul", "d", "b", "s", "b", "x")
    assert params.types == (1, 2, 3, 4, 5, 6, 7, 7, 6)
    assert params.values[5] == 1
    as_dict = params.to_dict()
    assert as_dict["b"] == "last"
    assert as_dict["x"] is False
    assert list(as_dict) == ["i", "ui", "l", "ul", "d", "b", "s", "x"]
    assert params.to_multidict()["b"] == [True, "last"]
    assert params.items()[5] == ("b", True)
    assert params.items()[5][1] is True


def test_a_boolean_that_comes_last_wins_as_a_bool() -> None:
    params = TypedParams.from_items([("a", STRING, "x"), ("a", BOOLEAN, 2)])
    assert params.to_dict() == {"a": True}
    assert params.to_dict()["a"] is True


def test_dicts_are_independent() -> None:
    params = TypedParams.from_items(EACH)
    first = params.to_dict()
    first["i"] = 5
    first["new"] = 6
    assert params.to_dict()["i"] == -1
    assert "new" not in params.to_dict()


def test_a_boolean_keeps_the_number_of_the_wire() -> None:
    xdr = bytes.fromhex("00000001 00000001 62000000 00000006 fffffffe")
    params, _ = unpack_typed_params(xdr, 0)
    assert params.values == (-2,)
    assert params.to_dict() == {"b": True}
    assert params._pack() == xdr
    assert TypedParams.from_items([("b", BOOLEAN, True)]).values == (1,)


def test_equality_is_by_names_types_and_values() -> None:
    params = TypedParams.from_items(EACH)
    assert params == unpack_typed_params(EACH_XDR, 0)[0]
    assert params != TypedParams.from_items(EACH[:-1])
    assert TypedParams.from_items([("a", INT, 1)]) != TypedParams.from_items([("a", UINT, 1)])
    assert TypedParams.from_items([("a", INT, 1)]) != TypedParams.from_items([("b", INT, 1)])
    assert params != EACH
    assert TypedParams() == TypedParams.from_items([])
    with pytest.raises(TypeError):
        hash(params)


def test_repr_is_short() -> None:
    params = TypedParams.from_items([(f"n{i}", STRING, "x" * 10_000) for i in range(1000)])
    assert len(repr(params)) < 500
    assert "... 996 more" in repr(params)
    assert repr(TypedParams.from_items([("a", INT, 1)])) == "TypedParams({'a': 1})"
    assert repr(params[0][:1]) == "('n0',)"
    assert repr(TypedParam(("a", INT, 1))) == "TypedParam(field='a', type=1, value=1)"


@pytest.mark.parametrize(("kind", "value"), [(STRING, "s3cret"), (INT, 5353), (BOOLEAN, 5353)])
def test_repr_leaves_secrets_out(kind: int, value: Any) -> None:
    params = TypedParams.from_items([("user", STRING, "fred"), ("pass", kind, value)])
    assert repr(params) == "TypedParams({'user': 'fred', 'pass': <secret>})"
    assert repr(params[1]) == f"TypedParam(field='pass', type={kind}, value=<secret>)"
    assert f"{params[1]!s}{list(params)}{params[1:]}".count("<secret>") == 3
    for shown in (repr(params), str(params[1]), str(list(params)), f"{params[1:]}"):
        assert "s3cret" not in shown
        assert "5353" not in shown
    assert params[1].value == value


def test_nothing_is_shown_before_it_is_known_what_is_secret() -> None:
    set_secret_parameters(None)
    assert is_secret("user")
    params = TypedParams.from_items([("user", STRING, "fred")])
    assert repr(params) == "TypedParams({'user': <secret>})"
    set_secret_parameters([])
    assert not is_secret("user")
    assert repr(params) == "TypedParams({'user': 'fred'})"


@pytest.mark.parametrize(
    "item",
    [
        ("pass", "s3cret", STRING),
        ("pass", INT, "s3cret"),
        ("pass", STRING, "s3cret\0"),
        ("pass", STRING, "s3cret\ud800"),
        ("pass", STRING, b"s3cret"),
        ("pass", DOUBLE, "s3cret"),
    ],
)
def test_errors_leave_secrets_out(item: tuple[str, Any, Any]) -> None:
    with pytest.raises(EncodeError) as caught:
        TypedParams.from_items([item])
    assert "'pass'" in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_refused_text_is_not_within_reach_of_the_error() -> None:
    with pytest.raises(EncodeError, match="no UTF-8 form") as caught:
        TypedParams.from_items([("pass", STRING, "s3cret\ud800")])
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (("a", INT), "[1]: a (name, type, value) triple is wanted"),
        (5, "[1]: a (name, type, value) triple is wanted"),
        (("a", [], 1), "[1] 'a': the type of a parameter is a number, got list"),
        (("a", 0, 1), "[1] 'a': there is no parameter type 0"),
        (("a", 8, 1), "[1] 'a': there is no parameter type 8"),
        (("a", "INT", 1), "[1] 'a': the type of a parameter is a number, got str"),
        ((None, INT, 1), "[1].field: a string is wanted, got NoneType"),
        (("a\0", INT, 1), "[1].field: a string cannot hold a NUL byte"),
        (("\ud800", INT, 1), "[1].field: the string has no UTF-8 form"),
        (("a", INT, 2**31), "[1] 'a': the value is outside int -2147483648..2147483647"),
        (("a", UINT, -1), "[1] 'a': the value is outside unsigned int 0..4294967295"),
        (("a", LLONG, 2**63), "[1] 'a': the value is outside hyper"),
        (("a", ULLONG, -1), "[1] 'a': the value is outside unsigned hyper"),
        (("a", BOOLEAN, 2**31), "[1] 'a': the value is outside int"),
        (("a", INT, 1.0), "[1] 'a': int is wanted, got float"),
        (("a", INT, "1"), "[1] 'a': int is wanted, got str"),
        (("a", DOUBLE, "1"), "[1] 'a': a double is wanted, got str"),
        (("a", DOUBLE, True), "[1] 'a': a double is wanted, got bool"),
        (("a", DOUBLE, 10**400), "[1] 'a': the number is too large for a double"),
        (("a", STRING, 1), "[1] 'a': a string is wanted, got int"),
        (("a", STRING, "x\0"), "[1] 'a': a string cannot hold a NUL byte"),
    ],
)
def test_from_items_names_what_cannot_be(item: Any, text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        TypedParams.from_items([("first", INT, 1), item])
    assert str(caught.value).startswith(text)


def test_a_double_takes_an_int() -> None:
    value = TypedParams.from_items([("a", DOUBLE, 3)]).values[0]
    assert value == 3.0
    assert isinstance(value, float)


def test_limits_hold_both_ways() -> None:
    params = TypedParams.from_items([("a", INT, 1)] * 3)
    packed = params._pack(3)
    assert unpack_typed_params(packed, 0, 3)[0] == params
    with pytest.raises(EncodeError, match="3 parameters, 2 are allowed"):
        params._pack(2)
    with pytest.raises(DecodeError, match="3 parameters, 2 are allowed"):
        unpack_typed_params(packed, 0, 2)
    with pytest.raises(EncodeError, match="a string of 5 bytes, 4 are allowed"):
        TypedParams.from_items([("a", STRING, "abcde")])._pack(3, 4)


def test_an_embedded_nul_is_read_but_not_written() -> None:
    xdr = bytes.fromhex("00000001 00000001 61000000 00000007 00000003 61006200")
    params, _ = unpack_typed_params(xdr, 0)
    assert params.to_dict() == {"a": "a\0b"}
    with pytest.raises(EncodeError, match="NUL"):
        params._pack()


@pytest.mark.parametrize("count", [1, 3, 27, 2**31, 2**32 - 1])
def test_hostile_counts_allocate_nothing(count: int) -> None:
    def refuse() -> None:
        with pytest.raises(DecodeError, match="cannot be in") as caught:
            unpack_typed_params(count.to_bytes(4, "big") + bytes(11), 0)
        assert caught.value.offset == 0

    assert peak_memory(refuse) < 10_000


def test_a_missing_count_is_refused() -> None:
    with pytest.raises(DecodeError, match="byte 1: the count of parameters is cut off"):
        unpack_typed_params(bytes(4), 1)


def test_a_kept_record_is_little_more_than_its_values() -> None:
    items = [(f"block.{i}.rd.bytes", UINT, i) for i in range(60)]
    packed = TypedParams.from_items(items)._pack()
    records = [unpack_typed_params(packed, 0)[0] for _ in range(5)]
    first, last = records[2], records[-1]
    assert first.names is last.names
    assert first.types is last.types
    assert type(last.values) is tuple
    assert sys.getsizeof(last.values) <= sys.getsizeof(tuple(range(60)))


VALUES: dict[int, st.SearchStrategy[Any]] = {
    INT: st.integers(-(2**31), 2**31 - 1),
    UINT: st.integers(0, 2**32 - 1),
    LLONG: st.integers(-(2**63), 2**63 - 1),
    ULLONG: st.integers(0, 2**64 - 1),
    DOUBLE: st.floats(allow_nan=False),
    BOOLEAN: st.integers(-(2**31), 2**31 - 1),
    STRING: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
}
ITEM = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.tuples(VALUES[STRING], st.just(kind), VALUES[kind])
)


@given(st.lists(ITEM, max_size=20))
def test_packing_is_what_the_reference_codec_says(items: list[tuple[str, int, Any]]) -> None:
    params = TypedParams.from_items(items)
    plain = [{"field": name, "value": {"type": k, "value": v}} for name, k, v in items]
    packed = params._pack()
    assert packed == CODEC.encode("param_list", {"params": plain})
    assert unpack_typed_params(packed, 0) == (params, len(packed))
