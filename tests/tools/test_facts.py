"""Tests of reading facts files: what is wrong with one is said with the way to it."""

from __future__ import annotations

import json

import pytest

from xdrgen.errors import FactsError
from xdrgen.facts import read_facts
from xdrgen.model import Declaration, Shape

WRONG = [
    ([], "f.json: the top: expected an object, found []"),
    ({"a.x": 5}, "f.json: a.x: expected an object, found 5"),
    ({"a.x": {"constants": []}}, "f.json: a.x constants: expected an object, found []"),
    (
        {"a.x": {"constants": {"A": 1.5}}},
        "f.json: a.x constant A: expected a number, found 1.5",
    ),
    (
        {"a.x": {"enums": {"e": {"A": True}}}},
        "f.json: a.x enum e A: expected a number, found true",
    ),
    ({"a.x": {"structs": {"s": {}}}}, "f.json: a.x struct s: expected a list, found {}"),
    (
        {"a.x": {"structs": {"s": [{"name": "a"}]}}},
        "f.json: a.x struct s type: expected a name, found null",
    ),
    (
        {"a.x": {"structs": {"s": [{"name": "a", "type": "int", "array": "round", "limit": 1}]}}},
        'f.json: a.x struct s a array: expected "fixed" or "variable", found "round"',
    ),
    (
        {"a.x": {"structs": {"s": [{"name": "a", "type": "int", "array": "fixed"}]}}},
        "f.json: a.x struct s a limit: expected a number, found null",
    ),
    (
        {"a.x": {"unions": {"u": {"on": {"type": "int", "name": "t"}, "arms": [["A"]]}}}},
        'f.json: a.x union u arms: expected [label, declaration], found ["A"]',
    ),
    (
        {"a.x": {"procedures": [{"name": "P", "number": "1"}]}},
        'f.json: a.x procedure #0 number: expected a number, found "1"',
    ),
]


@pytest.mark.parametrize(("data", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_layout(data: object, message: str) -> None:
    with pytest.raises(FactsError) as caught:
        read_facts(json.dumps(data), "f.json")
    assert str(caught.value) == message


def test_not_json_names_the_line() -> None:
    with pytest.raises(FactsError, match=r"^f\.json:2: not JSON: "):
        read_facts('{\n"a": }', "f.json")


def test_files_come_in_the_order_they_build_on_one_another() -> None:
    names = ("other.x", "qemu_protocol.x", "remote_protocol.x", "virnetprotocol.x")
    files = read_facts(json.dumps({name: {} for name in names}), "f.json")
    assert tuple(files) == (*reversed(names[1:]), names[0])


def test_declarations() -> None:
    rows = [
        {"type": "int", "name": "a"},
        {"type": "int", "name": "b", "array": "fixed", "limit": 3},
        {"type": "int", "name": "c", "array": "variable", "limit": "MAX"},
        {"type": "int", "name": "d", "optional": True},
    ]
    files = read_facts(json.dumps({"a.x": {"structs": {"s": rows}}}), "f.json")
    assert files["a.x"].structs["s"].members == (
        Declaration("a", "int"),
        Declaration("b", "int", Shape.FIXED, 3),
        Declaration("c", "int", Shape.VARIABLE, "MAX"),
        Declaration("d", "int", Shape.OPTIONAL),
    )


def test_stub_making_is_dropped_from_annotations() -> None:
    row = {"name": "P_PROC_A", "number": 1, "annotations": {"generate": ["both"], "acl": ["a:b"]}}
    files = read_facts(json.dumps({"a.x": {"procedures": [row]}}), "f.json")
    assert files["a.x"].procedures[0].annotations == {"acl": ("a:b",)}
