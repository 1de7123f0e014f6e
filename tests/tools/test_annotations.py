"""Tests of what is read out of the comment in front of a procedure."""

from __future__ import annotations

import pytest

from xdrgen.annotations import parse_annotations
from xdrgen.errors import XdrSyntaxError
from xdrgen.lexer import Note


def test_no_comment() -> None:
    assert parse_annotations(None, "f.x") == ({}, [])


@pytest.mark.parametrize(
    "text",
    [
        "\n     * @priority: high\n     * @acl: a:b\n     * @acl: c:d:!E|F\n     ",
        " @priority: high @acl: a:b @acl: c:d:!E|F ",
        "@priority:high\n *  @acl:  a:b\n@acl: c:d:!E|F",
        "\n * Prose with an @sign in it.\n * @priority: high @acl: a:b\n *\n * @acl: c:d:!E|F",
    ],
)
def test_one_to_a_line_or_several(text: str) -> None:
    found, remarks = parse_annotations(Note(text, 1), "f.x")
    assert remarks == []
    assert found == {"priority": ("high",), "acl": ("a:b", "c:d:!E|F")}


def test_what_only_stub_makers_need_is_dropped() -> None:
    assert parse_annotations(Note(" @generate: none ", 1), "f.x") == ({}, [])


@pytest.mark.parametrize(
    "line",
    ["@aclsubject: a", "@aclsubject", "@aclsubject: two words", "@aclsubject=x", "@aclsubject(1)"],
)
def test_a_key_of_a_later_libvirt_is_ignored_with_a_remark(line: str) -> None:
    text = f"\n * @priority: high\n * {line}\n * @acl: a:b {line}"
    found, remarks = parse_annotations(Note(text, 4), "f.x")
    assert found == {"priority": ("high",), "acl": ("a:b",)}
    assert [str(remark) for remark in remarks] == [
        "f.x:6: unknown annotation '@aclsubject'",
        "f.x:7: unknown annotation '@aclsubject'",
    ]


@pytest.mark.parametrize("text", ["@acl", "@acl:", "@: x", "@acl: two words", "@acl x"])
def test_malformed(text: str) -> None:
    with pytest.raises(XdrSyntaxError, match=r"^f\.x:5: expected '@key: value', found '@"):
        parse_annotations(Note(f"\n * {text}", 4), "f.x")
