"""``virtproto vol-upload`` and ``vol-download``: the way out when the command is told to end."""

from __future__ import annotations

import os
import signal

import pytest

from virtproto.cli.transferring import _OrderlyEnd
from virtproto.model.replies import CLOSE_TIMEOUT_S
from virtproto.transport.deadline import time_left

ENDING = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]


@pytest.mark.parametrize("number", ENDING, ids=lambda n: n.name)
def test_a_signal_ends_it_and_what_is_tidied_up_has_one_time_limit(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in ENDING]
    left: list[float | None] = []
    with _OrderlyEnd() as end:
        try:
            signal.raise_signal(number)
            raise AssertionError("it goes on")
        finally:
            # What is called from here on shares it: giving the stream up, closing the connection.
            left.append(time_left(None))
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                left.append(time_left(None))
    assert end.code == 128 + number
    first, second = left
    assert first is not None
    assert second is not None
    assert 0 < second < first <= CLOSE_TIMEOUT_S
    assert time_left(None) is None
    assert [signal.getsignal(each) for each in ENDING] == before


def test_what_is_ignored_stays_so_and_other_ends_are_let_through() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _OrderlyEnd() as end:
            os.kill(os.getpid(), signal.SIGHUP)
        assert end.code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    with pytest.raises(ZeroDivisionError), _OrderlyEnd():
        raise ZeroDivisionError
