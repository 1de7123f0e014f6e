"""What is to be played is read whole, as long as memory is enough."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.trace.replaying.tape import Tape, lookup
from virtproto.errors import UsageError
from virtproto.proxy.reading_recordings import read_recording
from virtproto.wire import remote


def test_what_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    tape = Tape().opened()
    for _ in range(100):
        tape.call(remote.DOMAIN_LOOKUP_BY_NAME.name, lookup("x" * 20_000))
    tape.save(plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert packed.stat().st_size < 50_000
    assert 2_000_000 < read_recording(str(packed))[0].size < 2_500_000
    monkeypatch.setattr("virtproto.proxy.reading_recordings._MOST", 1 << 20)
    with pytest.raises(UsageError, match=r"more than 1 MiB .* too large to be played"):
        read_recording(str(packed))
