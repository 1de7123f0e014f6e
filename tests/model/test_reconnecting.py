"""When a lost connection is opened anew: delays, chance, and the end of trying."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import (
    ArgumentTypeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    SocketRefusedError,
    URIError,
    UsageError,
)
from virtproto.model.reconnecting import Attempts, Reconnect, is_final

DELAYS = st.floats(1e-3, 1e4)


@st.composite
def policies(draw: st.DrawFn, *, patient: bool = False) -> Reconnect:
    first, longest = sorted((draw(DELAYS), draw(DELAYS)))
    give_up = None if patient else draw(st.none() | st.floats(1e-3, 1e5))
    return Reconnect(first, longest, give_up, draw(st.floats(0, 1)))


def delays(attempts: Attempts, count: int) -> list[float]:
    """Return the delays of attempts that fail, at a time that stands still."""
    found = []
    for _ in range(count):
        delay = attempts.delay_s(0.0)
        assert delay is not None
        found.append(delay)
        attempts.failed()
    return found


def test_delays_double_up_to_the_longest() -> None:
    attempts = Attempts(Reconnect(0.5, 3.0, jitter=0), lambda: 0.7)
    attempts.lost(0.0)
    assert delays(attempts, 5) == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 10.0), (0.5, 7.5), (1.0, 5.0)])
def test_chance_shortens_a_delay(chance: float, expected: float) -> None:
    attempts = Attempts(Reconnect(10.0, 10.0, jitter=0.5), lambda: chance)
    attempts.lost(0.0)
    assert attempts.delay_s(0.0) == pytest.approx(expected)


@given(policies(patient=True), st.floats(0, 1, exclude_max=True), st.integers(1, 1100))
def test_delays_stay_within_their_bounds(policy: Reconnect, chance: float, count: int) -> None:
    attempts = Attempts(policy, lambda: chance)
    attempts.lost(0.0)
    found = delays(attempts, count)
    assert all(0 <= delay <= policy.longest_delay_s for delay in found)
    assert all(one <= next_one for one, next_one in pairwise(found))
    # Most of a delay is certain.
    assert found[0] >= policy.first_delay_s * (1 - policy.jitter) * (1 - 1e-9)


@given(policies(), st.floats(0, 1, exclude_max=True), st.floats(0, 1e6))
def test_no_attempt_begins_after_the_time_to_give_up(
    policy: Reconnect, chance: float, lost_at: float
) -> None:
    attempts = Attempts(policy, lambda: chance)
    attempts.lost(lost_at)
    now = lost_at
    for _ in range(200):
        delay = attempts.delay_s(now)
        if delay is None:
            assert policy.give_up_after_s is not None
            assert now + policy.longest_delay_s >= lost_at + policy.give_up_after_s - 1e-6
            return
        now += delay
        left = attempts.left_s(now)
        assert left is None or left > -1e-6
        attempts.failed()


def test_a_connection_that_lasted_begins_with_the_first_delay_again() -> None:
    attempts = Attempts(Reconnect(1.0, 8.0, jitter=0), lambda: 0.0)
    attempts.lost(0.0)
    attempts.failed()
    attempts.failed()
    attempts.opened(10.0)
    attempts.lost(18.0)
    assert attempts.delay_s(18.0) == 1.0


def test_one_that_fell_at_once_counts_as_a_failure() -> None:
    attempts = Attempts(Reconnect(1.0, 8.0, jitter=0), lambda: 0.0)
    found = []
    now = 0.0
    attempts.lost(now)
    for _ in range(5):
        found.append(attempts.delay_s(now))
        attempts.opened(now)
        now += 0.01
        attempts.lost(now)
    assert found == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_the_time_to_give_up_counts_from_each_loss() -> None:
    attempts = Attempts(Reconnect(1.0, 2.0, 5.0, jitter=0), lambda: 0.0)
    attempts.lost(100.0)
    assert attempts.left_s(101.0) == 4.0
    assert not attempts.is_over(104.9)
    assert attempts.is_over(105.0)
    assert attempts.delay_s(104.0) is None
    attempts.opened(104.5)
    attempts.lost(200.0)
    assert attempts.left_s(200.0) == 5.0
    assert attempts.delay_s(200.0) == 1.0


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"first_delay_s": 0}, "first_delay_s"),
        ({"first_delay_s": -1.0}, "first_delay_s"),
        ({"first_delay_s": math.nan}, "first_delay_s"),
        ({"first_delay_s": 31.0}, "first_delay_s"),
        ({"longest_delay_s": 0.0}, "longest_delay_s"),
        ({"give_up_after_s": 0}, "give_up_after_s"),
        ({"jitter": -0.1}, "jitter"),
        ({"jitter": 1.1}, "jitter"),
        ({"jitter": math.nan}, "jitter"),
    ],
)
def test_what_makes_no_sense_is_named(options: dict[str, float], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}: "):
        Reconnect(**options)


@pytest.mark.parametrize("parameter", ["first_delay_s", "longest_delay_s", "give_up_after_s"])
def test_a_text_is_no_time(parameter: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"^{parameter}: "):
        Reconnect(**{parameter: "1"})  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"^jitter: "):
        Reconnect(jitter="much")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"^longest_delay_s: "):
        Reconnect(longest_delay_s=None)  # type: ignore[arg-type]


def test_it_shows_what_it_is() -> None:
    shown = repr(Reconnect(0.2, give_up_after_s=60.0))
    assert shown == (
        "Reconnect(first_delay_s=0.2, longest_delay_s=30.0, give_up_after_s=60.0, jitter=0.5)"
    )


def test_only_what_no_time_cures_is_final() -> None:
    assert is_final(URIError("no"))
    assert is_final(ZeroDivisionError())
    assert is_final(AuthenticationError("sasl"))
    assert is_final(LibvirtError("authentication failed", code=45))
    assert not is_final(SocketRefusedError("not yet"))
    assert not is_final(ConnectionLostError("again"))
    assert not is_final(DeadlineError("slow"))
    assert not is_final(LibvirtError("starting", code=1))
