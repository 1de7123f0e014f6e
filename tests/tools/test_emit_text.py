"""Tests of the layout of printed expressions."""

from __future__ import annotations

from xdrgen.emit_text import Bracket, Sum, annotated, call, flat, render, returned, text, words


def test_literals() -> None:
    assert flat(text(("a", 1, None, ("b",), {"k": ()}))) == '("a", 1, None, ("b",), {"k": ()})'
    assert flat(text('say "\\"')) == '"say \\"\\\\\\""'


def test_what_fits_stands_on_one_line() -> None:
    assert render(call("f", "a", "b"), 1, "x = ") == ["    x = f(a, b)"]


def test_what_does_not_fit_stands_one_by_one() -> None:
    long = "a" * 95
    assert render(call("f", long, "b"), 0, "x = ") == ["x = f(", f"    {long},", "    b,", ")"]
    inner = call("g", long, "c")
    assert render(call("f", inner), 0) == [
        "f(",
        "    g(",
        f"        {long},",
        "        c,",
        "    ),",
        ")",
    ]


def test_a_long_sum_is_joined() -> None:
    first, second = call("f", "a" * 50), call("g", "b" * 50)
    assert returned(Sum((call("f"), call("g"))), 2) == ["        return f() + g()"]
    assert returned(Sum((first, second)), 2) == [
        "        parts = (",
        f"            f({'a' * 50}),",
        f"            g({'b' * 50}),",
        "        )",
        '        return b"".join(parts)',
    ]


def test_annotated_assignments_break_where_they_must() -> None:
    def kind(size: int) -> Bracket:
        return Bracket("P[", ("A" * size, "B"), "]")

    value = call("P", "x" * 40, "y" * 40)
    assert annotated("N", kind(1), call("P", "x")) == ["N: P[A, B] = P(x)"]
    assert annotated("N", kind(50), value)[0].endswith("= P(")
    assert annotated("N", kind(87), value)[0].endswith("= (")
    *head, last = annotated("N", kind(95), value)
    assert head == ["N: P[", f"    {'A' * 95},", "    B,"]
    assert last.startswith("] = P(")


def test_words_are_wrapped_with_the_space_in_front() -> None:
    assert words(["a", "b"], 1, "x = ", ",") == ['    x = "a b",']
    lines = words([f"name{i}" for i in range(30)], 1, '"m": ', ",")
    assert lines[0] == '    "m": ('
    assert lines[2].startswith('        " name')
    assert lines[-1] == "    ),"
    assert max(map(len, lines)) <= 100
