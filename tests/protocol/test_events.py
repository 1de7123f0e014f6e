"""Events compare by value and never show a payload."""

from __future__ import annotations

import pytest

from virtproto.protocol.events import CallReceived, Event, EventReceived, ReplyReceived, StreamEnded


def test_equality() -> None:
    assert ReplyReceived(1, 0, b"a") == ReplyReceived(1, 0, b"a", 0)
    assert ReplyReceived(1, 0, b"a") != ReplyReceived(1, 0, b"b")
    assert StreamEnded(1) != ReplyReceived(1, 0, b"")
    assert Event() != object()


def test_events_are_no_keys() -> None:
    with pytest.raises(TypeError):
        hash(StreamEnded(1))


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            ReplyReceived(3, 0, b"secret"),
            "ReplyReceived(serial=3, status=0, payload=<6 bytes>, nfds=0)",
        ),
        (
            EventReceived(5, 318, b"secret"),
            "EventReceived(program=5, procedure=318, payload=<6 bytes>)",
        ),
        (
            CallReceived(1, 2, 3, 4, b"secret"),
            "CallReceived(serial=1, program=2, version=3, procedure=4, payload=<6 bytes>, nfds=0)",
        ),
        (StreamEnded(7), "StreamEnded(serial=7)"),
    ],
)
def test_repr_elides_payloads(event: Event, shown: str) -> None:
    assert repr(event) == shown
