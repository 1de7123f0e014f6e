"""What ``open`` can be told: refused before anything is connected, by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.opening_options import (
    check_interval,
    check_keepalive,
    check_long_calls,
    check_reconnect,
)
from virtproto.model.reconnecting import Reconnect


@pytest.mark.parametrize("value", [None, (5.0, 5), (1, 0), (0.01, 4294967295)])
def test_keepalive_is_an_interval_and_a_count(value: tuple[float, int] | None) -> None:
    check_keepalive("keepalive", value)


@pytest.mark.parametrize(
    "value",
    [(0, 5), (-1.0, 5), (math.nan, 5), (1e10, 5), (5.0, -1), (5.0, 1 << 32)],
)
def test_keepalive_out_of_its_bounds(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^keepalive"):
        check_keepalive("keepalive", value)


@pytest.mark.parametrize(
    "value", [True, 5, "5", [5.0, 5], (5.0,), (5.0, 5, 5), ("5", 5), (5.0, 1.5)]
)
def test_keepalive_of_another_shape(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^keepalive"):
        check_keepalive("keepalive", value)


@pytest.mark.parametrize(
    ("value", "found"), [(5, "int"), ([5.0, 5], "list"), ((5.0,), "a tuple of 1")]
)
def test_what_keepalive_is_instead(value: Any, found: str) -> None:
    with pytest.raises(ArgumentTypeError, match=rf"count, or None, not {found}$"):
        check_keepalive("keepalive", value)


def test_turning_keepalive_off_later_is_an_interval_too() -> None:
    check_interval("interval_s", -1)
    check_interval("interval_s", 0)


@pytest.mark.parametrize("value", [None, 1, 4, 100])
def test_long_calls_are_a_number(value: int | None) -> None:
    check_long_calls("long_calls", value)


@pytest.mark.parametrize("value", [0, -1, 1 << 32])
def test_long_calls_out_of_their_bounds(value: int) -> None:
    with pytest.raises(UsageError, match=r"^long_calls: "):
        check_long_calls("long_calls", value)


def test_long_calls_of_another_type() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^long_calls: "):
        check_long_calls("long_calls", "4")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, False, Reconnect()])
def test_reconnect_is_a_policy_or_a_yes_or_no(value: bool | Reconnect) -> None:
    check_reconnect("reconnect", value)


@pytest.mark.parametrize("value", [None, 1, "yes", Reconnect])
def test_reconnect_of_another_type(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^reconnect: "):
        check_reconnect("reconnect", value)
