"""CPU maps between sets of numbers and bits."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.bitmaps import pack_cpumap, unpack_cpumap, unpack_cpumaps

LIMIT = 2048
cpus = st.sets(st.integers(0, LIMIT * 8 - 1))


@given(cpus)
def test_numbers_come_back(numbers: set[int]) -> None:
    assert unpack_cpumap(pack_cpumap("mask", numbers, LIMIT)) == numbers


@given(st.lists(st.booleans(), min_size=1, max_size=LIMIT * 8))
def test_booleans_mean_the_numbers_of_the_true_ones(booleans: list[bool]) -> None:
    packed = pack_cpumap("mask", booleans, LIMIT)
    assert len(packed) == (len(booleans) + 7) // 8
    assert unpack_cpumap(packed) == {place for place, wanted in enumerate(booleans) if wanted}


def test_bits_count_from_the_lowest_of_each_byte() -> None:
    assert pack_cpumap("mask", [0, 9], LIMIT) == b"\x01\x02"
    assert unpack_cpumap(b"\x01\x02\x00") == {0, 9}


def test_no_cpu_is_an_empty_map() -> None:
    assert pack_cpumap("mask", (), LIMIT) == b""
    assert unpack_cpumap(b"") == frozenset()


def test_maps_one_after_another_may_end_early() -> None:
    assert unpack_cpumaps(b"\x01\x00\x02", 2, 3) == [{0}, {1}, frozenset()]


@pytest.mark.parametrize(
    "wrong",
    ["0,1", b"\x01", bytearray(2), memoryview(b"\x01"), {}, {1: 2}, set, 3, None, [0, True], [1.5]],
)
def test_what_is_no_map_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^mask: "):
        pack_cpumap("mask", wrong, LIMIT)


@pytest.mark.parametrize(
    "wrong", [[-1], [LIMIT * 8], [True] * (LIMIT * 8 + 1), [10**5000], count()]
)
def test_what_does_not_fit_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"^mask: "):
        pack_cpumap("mask", wrong, LIMIT)


def test_ones_and_zeros_are_numbers() -> None:
    assert unpack_cpumap(pack_cpumap("mask", [0, 0, 1], LIMIT)) == {0, 1}
    assert unpack_cpumap(pack_cpumap("mask", [False, False, True], LIMIT)) == {2}
