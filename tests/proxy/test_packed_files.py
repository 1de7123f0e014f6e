"""Files come unpacked, in pieces of which the first tells what they are; damage has its place."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import pytest

from virtproto.errors import RecordingError, UsageError
from virtproto.proxy.packed_files import Source, opened
from virtproto.trace.reading.formats import START

DATA = random.Random(1).randbytes(600_000)


def _pieces(data: bytes) -> tuple[list[bytes], RecordingError | None, bool]:
    source = Source(io.BytesIO(data))
    found: list[bytes] = []
    try:
        found.extend(source.chunks())
    except RecordingError as error:
        return found, error, source.is_packed
    return found, None, source.is_packed


@pytest.mark.parametrize("size", [0, 1, START, START + 1, len(DATA)])
def test_files_come_whole(size: int) -> None:
    data = DATA[:size]
    halves = gzip.compress(data[: size // 2]) + gzip.compress(data[size // 2 :])
    for form, packed in ((data, False), (gzip.compress(data), True), (halves, True)):
        found, error, is_packed = _pieces(form)
        assert (b"".join(found), error, is_packed) == (data, None, packed)
        assert len(found[0]) >= min(size, START)
    # Tapes fill up what is left of a block.
    assert b"".join(_pieces(halves + bytes(512))[0]) == data


def test_what_can_be_unpacked_comes_before_the_error() -> None:
    packed = gzip.compress(DATA)
    found, error, _ = _pieces(packed[:-100_000])
    assert DATA.startswith(b"".join(found))
    assert sum(map(len, found)) > 300_000
    assert "cut off" in str(error)
    found, error, _ = _pieces(packed + b"and more")
    assert b"".join(found) == DATA
    assert error is not None
    assert error.offset is not None
    assert error.offset <= len(packed)


def test_little_that_is_packed_takes_little_memory() -> None:
    source = Source(io.BytesIO(gzip.compress(bytes(60 << 20), 6)))
    assert max(map(len, source.chunks())) < 1 << 20


def test_file_that_cannot_be_opened_is_misuse(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path / "none"), "a\0b"):
        with pytest.raises(UsageError, match=r"FILE: .* cannot be read"), opened(path):
            pass
