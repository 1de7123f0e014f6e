"""What handlers of streams may answer."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.stream_use import check_size, check_taken, section_of, view_of


def test_a_handler_takes_all_or_says_how_much() -> None:
    assert check_taken(None, 5) == 5
    assert check_taken(3, 5) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("3", ArgumentTypeError, "it returned str"),
        (True, ArgumentTypeError, "it returned bool"),
        (0, UsageError, "it took 0 of 5 bytes"),
        (6, UsageError, "it took 6 of 5 bytes"),
        (10**5000, UsageError, "it took a number of 16610 bits of 5 bytes"),
    ],
    ids=["text", "truth", "nothing", "too much", "far too much"],
)
def test_other_answers_of_a_handler_are_refused(
    answer: Any, kind: type[UsageError], words: str
) -> None:
    with pytest.raises(kind, match=f"^handler: {words}"):
        check_taken(answer, 5)


def test_a_hole_handler_tells_what_comes_next() -> None:
    assert section_of((True, 7)) == (True, 7)
    assert section_of([0, 0]) == (False, 0)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (None, ArgumentTypeError, "it must return"),
        ((True,), ArgumentTypeError, "it must return"),
        ((True, "7"), ArgumentTypeError, "the length is a number, not str"),
        ((True, -1), UsageError, "a length of -1"),
        ((True, -(10**5000)), UsageError, "a length of a number of 16610 bits"),
        ((True, 2**63), UsageError, "a length of 9223372036854775808"),
    ],
    ids=["none", "one", "text", "negative", "far too small", "too large"],
)
def test_other_answers_of_a_hole_handler_are_refused(
    answer: Any, kind: type[UsageError], words: str
) -> None:
    with pytest.raises(kind, match=f"^hole_handler: {words}"):
        section_of(answer)


@pytest.mark.parametrize(
    "data",
    [b"abcd", bytearray(b"abcd"), memoryview(b"a-b-c-d-")[::2], memoryview(b"abcd").cast("I")],
    ids=["bytes", "bytearray", "every second", "a number"],
)
def test_bytes_of_any_kind_are_seen(data: Any) -> None:
    assert bytes(view_of("data", data)) == b"abcd"
    assert bytes(view_of("data", b"")) == b""


@pytest.mark.parametrize("data", ["abc", None, 5, [1]], ids=["text", "none", "number", "list"])
def test_what_is_no_bytes_is_refused(data: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^data: expected bytes, not "):
        view_of("data", data)


def test_sizes_to_read() -> None:
    for good in (-1, 0, 5):
        check_size("size", good)
    with pytest.raises(UsageError, match=r"^size: -5 bytes cannot be read"):
        check_size("size", -5)
    for bad in ("x", None):
        with pytest.raises(ArgumentTypeError, match=r"^size: "):
            check_size("size", bad)  # type: ignore[arg-type]
