"""ANONYMOUS: one message."""

from __future__ import annotations

from tests.transport.sasl.attempts import FRED, attempt


def test_its_message() -> None:
    anonymous = attempt("ANONYMOUS")
    assert anonymous.is_anonymous
    assert anonymous.wanted == ()
    assert anonymous.start({}) == b"anonymous"
    assert anonymous.is_complete


def test_who_tells_a_name_has_it_in_the_daemon_s_log() -> None:
    assert attempt("ANONYMOUS").start(FRED) == b"fred"
