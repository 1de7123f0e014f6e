"""Columns of text."""

from __future__ import annotations

from virtproto.cli.table import lines, visible


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert list(lines(["Id", "Name"], [["1", "a"], ["100", "längst"]])) == [
        "Id   Name",
        "1    a",
        "100  längst",
    ]
    assert list(lines(["Id"], [])) == ["Id"]


def test_what_would_upset_a_terminal_is_shown_as_escapes() -> None:
    assert visible("a\x1b[2J\nb\u202e\udcff") == "a\\x1b[2J\\nb\\u202e\\udcff"
    assert visible("grün") == "grün"


def test_columns_are_those_of_a_terminal() -> None:
    assert list(lines(["Name", "State"], [["仮想", "off"], ["e\u0301", "on"]])) == [
        "Name  State",
        "仮想  off",
        "e\u0301     on",
    ]
