"""Recordings that are written while conversations go on."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from virtproto.errors import UsageError
from virtproto.proxy.writing_recordings import RecordingFile
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import BYTES, FROM_CLIENT, MASKED, NOTE, Record

ABOUT = {"started_s": 12.5, "by": "virtproto", "masked": False}
SAID = b"what it is, nobody knows; it may be a password"


def written(data: bytes) -> tuple[RecordReader, list[Record]]:
    reader = RecordReader()
    records = reader.feed(data)
    assert reader.finish() is None
    return reader, records


@pytest.mark.parametrize("name", ["a.vprec", "a.vprec.gz"])
@pytest.mark.parametrize("show_secrets", [False, True])
def test_records_are_read_as_they_were_kept(tmp_path: Path, name: str, show_secrets: bool) -> None:
    path = tmp_path / name
    file = RecordingFile(str(path), show_secrets=show_secrets)
    file.begin(ABOUT)
    file.keep(Record(BYTES, FROM_CLIENT, 3, 1.25, SAID), [])
    file.rest()
    file.keep(Record(NOTE, 0, 3, 2.5, b"a note"), [])
    file.finish()
    assert file.failure is None
    data = path.read_bytes()
    reader, (first, second) = written(gzip.decompress(data) if name.endswith("gz") else data)
    assert reader.about == {**ABOUT, "masked": not show_secrets}
    assert (first.kind, first.conversation, first.time_s) == (BYTES, 3, 1.25)
    assert first.flags == FROM_CLIENT | (0 if show_secrets else MASKED)
    assert len(first.body) == len(SAID)
    assert (first.body == SAID) is show_secrets
    assert b"password" not in data or show_secrets
    assert (second.kind, second.body) == (NOTE, b"a note")


def test_what_is_there_is_seen_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = RecordingFile(str(path))
    file.begin(ABOUT)
    file.keep(Record(NOTE, 0, 0, 0.0, b"a note"), [])
    file.rest()
    assert len(written(path.read_bytes())[1]) == 1
    file.finish()


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    path.chmod(0o666)
    with pytest.raises(UsageError, match=r"--record: .* exists already"):
        RecordingFile(str(path))
    assert path.read_bytes() == b"before"
    RecordingFile(str(path), overwrite=True).finish()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 0


def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        RecordingFile(str(tmp_path / "none" / "a"))


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_a_full_disk_is_told_once_and_ends_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.symlink_to("/dev/full")
    file = RecordingFile(str(path), overwrite=True)
    file.begin(ABOUT)
    for _ in range(100):
        file.keep(Record(BYTES, MASKED, 1, 0.0, os.urandom(65536)), [])
    assert file.failure is not None
    assert "No space left" in str(file.failure)
    file.rest()
    file.finish()
