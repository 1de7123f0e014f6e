"""Times counted in little memory."""

from __future__ import annotations

import random

import pytest

from virtproto.trace.printing.distribution import Distribution


def _of(values: list[float]) -> Distribution:
    found = Distribution()
    for value in values:
        found.add(value)
    return found


def test_few_are_exact() -> None:
    found = _of([0.005, 0.001, 0.002, 0.004, 0.003])
    assert (found.count, found.smallest, found.largest) == (5, 0.001, 0.005)
    assert found.total == pytest.approx(0.015)
    shares = (0, 50, 95, 100)
    assert [found.percentile(each) for each in shares] == [0.001, 0.003, 0.005, 0.005]
    assert _of([]).percentile(50) == 0.0
    assert _of([-1.0]).smallest == 0.0


def test_many_are_known_to_a_hundredth() -> None:
    chance = random.Random(6)
    values = [chance.lognormvariate(-7, 2) for _ in range(20_000)]
    found = _of(values)
    values.sort()
    for percent in (1, 25, 50, 95, 99):
        exact = values[len(values) * percent // 100 - 1]
        assert found.percentile(percent) == pytest.approx(exact, rel=0.012)
    assert found.percentile(100) == found.largest == values[-1]
    assert found.smallest == values[0]
    assert found._kept is None
    assert len(found._buckets) < 5000
    assert _of([0.0] * 3000).percentile(50) == 0.0
