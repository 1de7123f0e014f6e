"""Serials: given out once, answered once, in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import SequenceError
from virtproto.protocol.calls import ABANDONED, PENDING, CallTable

TARGET = (0x20008086, 1, 16)


def test_serials_count_from_zero() -> None:
    table = CallTable()
    assert [table.open(TARGET) for _ in range(3)] == [0, 1, 2]


def test_answer_tells_state_and_procedure_once() -> None:
    table = CallTable()
    serial = table.open(TARGET)
    assert table.answer(serial, *TARGET[:2]) == (PENDING, 16)
    with pytest.raises(SequenceError, match="serial 0, which no call waits for"):
        table.answer(serial, *TARGET[:2])


def test_abandoned_call_is_answered_once() -> None:
    table = CallTable()
    serial = table.open(TARGET)
    assert table.abandon(serial)
    assert not table.abandon(serial)
    assert not table.abandon(99)
    assert table.answer(serial, *TARGET[:2]) == (ABANDONED, 16)
    assert table.pending == table.abandoned == {}


@pytest.mark.parametrize(("program", "version"), [(0x20008087, 1), (0x20008086, 2)])
def test_answer_of_another_program_fits_no_call(program: int, version: int) -> None:
    table = CallTable()
    serial = table.open(TARGET)
    with pytest.raises(SequenceError, match="which is a call of program 0x20008086 version 1"):
        table.answer(serial, program, version)
    assert serial in table.pending


def test_counter_wraps_and_skips_serials_in_use() -> None:
    table = CallTable(reserved={1}, first_serial=0xFFFFFFFE)
    table.pending[0] = TARGET
    table.abandoned[2] = TARGET
    assert [table.open(TARGET) for _ in range(4)] == [0xFFFFFFFE, 0xFFFFFFFF, 3, 4]


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_answers_in_any_order(order: list[int], abandoned: set[int]) -> None:
    table = CallTable()
    for number in range(8):
        table.open((1, 1, number))
    for serial in abandoned:
        table.abandon(serial)
    for serial in order:
        state = ABANDONED if serial in abandoned else PENDING
        assert table.answer(serial, 1, 1) == (state, serial)
    assert table.pending == table.abandoned == {}
