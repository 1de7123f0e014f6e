"""What may block is done on another thread, and its outcome told."""

from __future__ import annotations

import queue
import threading

import pytest

from virtproto.errors import AuthenticationError, ConnectError
from virtproto.transport import elsewhere
from virtproto.transport.elsewhere import Outcome, do_elsewhere, too_late


def _done(function: object, *args: object) -> Outcome:
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    do_elsewhere(function, args, outcomes.put)  # type: ignore[arg-type]
    return outcomes.get(timeout=10.0)


def test_the_result_comes_from_another_thread() -> None:
    assert _done(lambda text: (text, threading.get_ident()), "x").get()[0] == "x"
    assert _done(threading.get_ident).get() != threading.get_ident()


def test_an_error_is_raised_where_the_result_is_wanted() -> None:
    def fail() -> None:
        raise AuthenticationError("no")

    outcome = _done(fail)
    with pytest.raises(AuthenticationError, match="no"):
        outcome.get()


def test_nothing_shows_a_result() -> None:
    assert "secret" not in repr(_done(lambda: "secret"))


def test_nobody_may_want_to_know_any_more() -> None:
    asked = threading.Event()

    def tell(outcome: Outcome) -> None:
        asked.set()
        raise RuntimeError("Event loop is closed")

    do_elsewhere(int, (), tell)
    assert asked.wait(10.0)


def test_no_thread_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(elsewhere, "start_new_thread", refuse)
    with pytest.raises(ConnectError, match="no thread"):
        do_elsewhere(int, (), lambda outcome: None)


def test_what_is_said_of_time_that_was_up() -> None:
    assert "within 2 s" in str(too_late(2.0))
    assert "within" not in str(too_late(None))
