"""Typed parameters: Python values to the types of the wire, and back."""

from __future__ import annotations

from collections import UserList
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.typedvalues import from_params, to_params, unknown_numbers
from virtproto.xdr.typedparams import (
    BOOLEAN,
    DOUBLE,
    INT,
    LLONG,
    STRING,
    UINT,
    ULLONG,
    TypedParams,
)

KNOWN = {
    "int": INT,
    "uint": UINT,
    "llong": LLONG,
    "ullong": ULLONG,
    "double": DOUBLE,
    "bool": BOOLEAN,
    "text": STRING,
}


class Color(IntEnum):
    RED = 3


def triples(params: TypedParams) -> list[tuple[str, int, object]]:
    return [(one.field, one.type, one.value) for one in params]


def test_known_names_go_out_as_the_type_they_have() -> None:
    values: dict[str, Any] = {
        "int": -3,
        "uint": 2**32 - 1,
        "llong": -(2**63),
        "ullong": 2**64 - 1,
        "double": 2,
        "bool": True,
        "text": "",
    }
    params = to_params("params", values, KNOWN, 16)
    assert triples(params) == [
        ("int", INT, -3),
        ("uint", UINT, 2**32 - 1),
        ("llong", LLONG, -(2**63)),
        ("ullong", ULLONG, 2**64 - 1),
        ("double", DOUBLE, 2.0),
        ("bool", BOOLEAN, 1),
        ("text", STRING, ""),
    ]
    assert isinstance(params.values[4], float)
    assert from_params(params) == values
    assert from_params(params)["bool"] is True


def test_unknown_names_go_out_as_what_the_value_is() -> None:
    values: dict[str, Any] = {"a": 1, "b": -1, "c": False, "d": 0.5, "e": "x", "f": Color.RED}
    assert triples(to_params("params", values, {}, 16)) == [
        ("a", ULLONG, 1),
        ("b", LLONG, -1),
        ("c", BOOLEAN, 0),
        ("d", DOUBLE, 0.5),
        ("e", STRING, "x"),
        ("f", ULLONG, 3),
    ]


def test_several_texts_are_as_many_parameters_of_the_name() -> None:
    expected = [("text", STRING, "vda"), ("text", STRING, "vdb"), ("more", STRING, "x")]
    params = to_params("params", {"text": ["vda", "vdb"], "more": ("x",)}, KNOWN, 3)
    assert triples(params) == expected
    own = UserList(["vda", "vdb"])
    assert triples(to_params("params", {"text": own}, KNOWN, 2)) == expected[:2]
    with pytest.raises(UsageError, match=r"^params: more than the 2 allowed$"):
        to_params("params", {"text": ["vda", "vdb", "vdc"]}, KNOWN, 2)


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (None, ArgumentTypeError, "params: expected a mapping"),
        ([("int", 1)], ArgumentTypeError, "params: expected a mapping"),
        ({1: 1}, ArgumentTypeError, "params: a name is text, not int"),
        ({"a\0b": 1}, UsageError, "NUL"),
        ({"a" * 80: 1}, UsageError, "longer than 79"),
        ({"é" * 40: 1}, UsageError, "longer than 79"),
        ({"\ud800": 1}, UsageError, "UTF-8"),
        ({"int": "1"}, ArgumentTypeError, r"params\['int'\]: expected a whole number, not str"),
        ({"int": 1.0}, ArgumentTypeError, r"params\['int'\]: expected a whole number, not float"),
        ({"int": None}, ArgumentTypeError, r"params\['int'\]: .* not NoneType"),
        ({"int": 2**31}, UsageError, r"params\['int'\]: 2147483648 is not within"),
        ({"uint": -1}, UsageError, r"params\['uint'\]: -1 is not within 0 to"),
        ({"llong": 2**63}, UsageError, r"params\['llong'\]: "),
        ({"ullong": -1}, UsageError, r"params\['ullong'\]: -1 is not within 0 to"),
        ({"ullong": 2**64}, UsageError, r"params\['ullong'\]: "),
        ({"unknown": 2**64}, UsageError, r"params\['unknown'\]: "),
        ({"unknown": -(2**63) - 1}, UsageError, r"params\['unknown'\]: "),
        ({"unknown": None}, ArgumentTypeError, r"params\['unknown'\]: .* not NoneType"),
        ({"unknown": b"x"}, ArgumentTypeError, r"params\['unknown'\]: .* not bytes"),
        ({"bool": 2}, UsageError, r"params\['bool'\]: expected True or False, not 2"),
        ({"bool": "yes"}, ArgumentTypeError, r"params\['bool'\]: expected a truth value"),
        ({"double": "1"}, ArgumentTypeError, r"params\['double'\]: expected a number, not str"),
        ({"double": 10**400}, UsageError, r"params\['double'\]: larger"),
        ({"int": 10**5000}, UsageError, r"params\['int'\]: a number of 16610 bits is not within"),
        ({"bool": 10**5000}, UsageError, r"params\['bool'\]: .* not a number of 16610 bits"),
        ({"double": 10**5000}, UsageError, r"params\['double'\]: larger"),
        (dict, ArgumentTypeError, "params: expected a mapping"),
        ({"text": b"x"}, ArgumentTypeError, r"params\['text'\]: expected text, not bytes"),
        ({"text": 1}, ArgumentTypeError, r"params\['text'\]: expected text, not int"),
        ({"text": "a\0b"}, UsageError, r"params\['text'\]: a NUL"),
        ({"text": "\ud800"}, UsageError, r"params\['text'\]: a character in it cannot be sent"),
        ({"text": ["a", 1]}, ArgumentTypeError, r"params\['text'\]\[1\]: expected text, not int"),
        ({"int": ["a"]}, ArgumentTypeError, r"params\['int'\]: expected a whole number, not list"),
    ],
)
def test_what_no_parameter_can_be_is_refused(
    values: Any, kind: type[UsageError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        to_params("params", values, KNOWN, 16)


def test_a_refused_text_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        to_params("params", {"text": "hunter2\0"}, KNOWN, 16)
    assert "hunter2" not in str(caught.value)


def test_numbers_of_unknown_names_are_those_to_be_learned() -> None:
    values = {"int": 1, "a": 1, "b": True, "c": "1", "d": 1.0, "e": -1}
    assert unknown_numbers(values, KNOWN) == ["a", "e"]


@given(
    st.dictionaries(
        st.text(max_size=19).filter(lambda name: "\0" not in name),
        st.integers(-(2**63), 2**64 - 1)
        | st.booleans()
        | st.floats(allow_nan=False)
        | st.text().filter(lambda text: "\0" not in text),
        max_size=8,
    )
)
def test_values_come_back_as_they_went(values: dict[str, Any]) -> None:
    back = from_params(to_params("params", values, {}, 8))
    assert back == values
    assert [type(value) for value in back.values()] == [type(value) for value in values.values()]
