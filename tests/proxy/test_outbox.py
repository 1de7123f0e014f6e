"""Records on their way into a pipe, and a reader who is late, slow or gone."""

from __future__ import annotations

import os
import threading

import pytest

from virtproto.proxy import outbox
from virtproto.proxy.outbox import Outbox

_RECORD = bytes(range(256)) * 16
_COUNT = 2000


def test_nothing_is_dropped_and_little_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_AT_ONCE", 20_000)
    monkeypatch.setattr(outbox, "_MOST_WAITING", 100_000)
    reading, writing = os.pipe()
    came = []

    def read() -> None:
        while data := os.read(reading, 65536):
            came.append(data)

    reader = threading.Thread(target=read)
    out = Outbox(writing)
    waited = 0
    for number in range(_COUNT):
        if number == 50:
            # By now the pipe has some of it; it takes an eighth of the whole.
            reader.start()
        out.put(_RECORD)
        waited = max(waited, out._waiting_size + out._fresh_size)
    out.close()
    reader.join()
    os.close(reading)
    assert b"".join(came) == _RECORD * _COUNT
    assert waited <= 100_000 + 20_000 + len(_RECORD)


def test_a_reader_who_has_gone_is_told_nothing() -> None:
    reading, writing = os.pipe()
    out = Outbox(writing)
    os.close(reading)
    out.put(_RECORD)
    out.flush()
    assert out.fd is None
    for _ in range(_COUNT):
        out.put(_RECORD)
    out.flush()
    assert not out.is_stuck
    out.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(writing)


def test_without_a_pipe_nothing_is_kept() -> None:
    out = Outbox(None)
    out.put(_RECORD)
    out.flush()
    assert (out.has_fresh, out.is_stuck) == (False, False)
    out.close()
