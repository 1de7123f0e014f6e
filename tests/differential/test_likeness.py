"""The tolerances: each lets through what it says and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.differential.comparison import Ask, Comparison, Outcome
from tests.differential.likeness import Likeness, equal, rising, varying, within
from tests.differential.parties import fill
from tests.differential.writing import act, ask, where


@pytest.mark.parametrize(
    ("likeness", "earlier", "later"),
    [
        (equal, {"a": [1, "x", None]}, {"a": [1, "x", None]}),
        (equal, 1, True),
        (rising("a"), {"a": 1, "b": "x"}, {"a": 2, "b": "x"}),
        (rising("*/2"), [[0, 1, 5], [1, 1, 5]], [[0, 1, 6], [1, 1, 5]]),
        (varying("0", "1/k"), [3, {"k": 2}], [1, {"k": 9}]),
        (rising("up") | varying("any"), {"up": 1, "any": 9}, {"up": 2, "any": 3}),
        (within(2), 5, 7),
        (within(2, "0"), [5, 1], [7, 1]),
    ],
)
def test_alike(likeness: Likeness, earlier: Any, later: Any) -> None:
    assert likeness(earlier, later) is None


@pytest.mark.parametrize(
    ("likeness", "earlier", "later", "where_it_differs"),
    [
        (equal, 1, 2, "1 and 2"),
        (equal, None, 0, "None and 0"),
        (equal, {"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a/b/1: 2 and 3"),
        (equal, [1], [1, 2], "1 items against 2"),
        (equal, {"a": 1}, {"b": 1}, r"\['a', 'b'\]"),
        (equal, "one\ntwo", "one\nthree", r"- two\n\+ three"),
        (rising(""), 2, 1, "2 and 1"),
        (rising("*"), "x", "y", "'x' and 'y'"),
        (rising("*"), {"a": 1}, {}, r"\['a'\]"),
        # A running domain of 1 GiB and a stopped one of 2: only the time may have grown.
        (rising("4"), [1, 1000, 1000, 2, 5], [5, 1000, 1000, 2, 6], "0: 1 and 5"),
        (rising("4"), [1, 1000, 1000, 2, 5], [1, 2000, 1000, 2, 6], "1: 1000 and 2000"),
        (rising("*/2"), [[0, 1, 5, 0]], [[0, 1, 6, 1]], "0/3: 0 and 1"),
        (varying(""), 1, 2.0, "1 and 2.0"),
        (varying(""), True, False, "True and False"),
        (varying("*"), ["x"], ["y"], "'x' and 'y'"),
        (rising("up") | varying("any"), {"up": 2}, {"up": 1}, "up: 2 and 1"),
        (within(2), 5, 8, "5 and 8"),
        (within(2, "0"), [5, 5], [5, 6], "1: 5 and 6"),
    ],
)
def test_not_alike(likeness: Likeness, earlier: Any, later: Any, where_it_differs: str) -> None:
    difference = likeness(earlier, later)
    assert difference is not None
    assert re.search(where_it_differs, difference), difference


def test_stages_and_outcomes_are_read() -> None:
    assert where("test-only !qemu") == {"test": Outcome.VALUE, "qemu": Outcome.REFUSAL}
    releases = where("?test")
    assert releases["test"] == releases["test 7.0.0"] == Outcome.EITHER


def test_a_step_may_expect_something_else_than_the_rest() -> None:
    step = ask("Domain.get_name", "name", outcome="!test-only qemu")
    comparison = Comparison("x", where("test-only qemu"), (step,))
    assert step.expected(comparison.stages, "test") == Outcome.REFUSAL
    assert step.expected(comparison.stages, "qemu") == Outcome.VALUE
    refused: Ask = act("Domain.create", "create", outcome="value")
    assert refused.expected(where("!qemu"), "qemu") == Outcome.REFUSAL


def test_names_are_filled_in() -> None:
    names = {"folder": "/f", "kib": 5, "weight": "cpu_shares"}
    filled = fill(["$folder/x", "$kib", {"$weight": "$none"}, ("$folder",), 3], names)
    assert filled == ["/f/x", 5, {"cpu_shares": "$none"}, ("/f",), 3]
