"""The default answers are those of a daemon without authentication."""

from __future__ import annotations

import pytest

from virtproto.protocol.events import CallReceived
from virtproto.testing.actions import CloseConnection
from virtproto.testing.opening import opening_handlers
from virtproto.wire import remote


def test_answers() -> None:
    handlers = opening_handlers()
    assert set(handlers) == {(remote.PROGRAM, number) for number in (66, 1, 60, 2)}
    assert handlers[remote.PROGRAM, 66] == remote.AuthListRet(types=[0])
    assert handlers[remote.PROGRAM, 1] == b""
    assert handlers[remote.PROGRAM, 2] == [b"", CloseConnection()]


@pytest.mark.parametrize(("feature", "answer"), [(10, 1), (14, 1), (15, 1), (3, 0), (99, 0)])
def test_features(feature: int, answer: int) -> None:
    handler = opening_handlers()[remote.PROGRAM, 60]
    assert callable(handler)
    args = remote.ConnectSupportsFeatureArgs(feature=feature).pack()
    call = CallReceived(0, remote.PROGRAM, 1, 60, args)
    assert handler(call) == remote.ConnectSupportsFeatureRet(supported=answer)
