"""CPU numbers in text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import DecodeError
from virtproto.model.cpulists import format_cpulist, parse_cpulist


@given(st.sets(st.integers(0, 2000)))
def test_sets_come_back_as_they_went(cpus: set[int]) -> None:
    assert parse_cpulist(format_cpulist(cpus)) == cpus


@pytest.mark.parametrize(
    ("cpus", "text"),
    [([], ""), ([3], "3"), ([5, 3, 4, 3], "3-5"), ([0, 1, 3, 5, 6], "0-1,3,5-6")],
)
def test_ranges_are_joined(cpus: list[int], text: str) -> None:
    assert format_cpulist(cpus) == text


@pytest.mark.parametrize(
    ("text", "cpus"),
    [(" 0-3 , 7", {0, 1, 2, 3, 7}), ("0-7,^2-3", {0, 1, 4, 5, 6, 7}), ("5-3", set()), (" ", set())],
)
def test_lists_as_daemons_may_write_them(text: str, cpus: set[int]) -> None:
    assert parse_cpulist(text) == cpus


@pytest.mark.parametrize("text", ["x", "1,", "-1", "1-", "1-2-3", "0x1", "131072", "0-99999999999"])
def test_what_is_no_list_is_not_read_as_one(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_cpulist(text)
