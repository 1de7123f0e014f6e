"""What the reporter does with records, and with what cannot be told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from virtproto.cli.trace_reporting import Report
from virtproto.proxy.writing_recordings import RecordingFile
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import NOTE, pack_head, pack_record

HEAD = pack_head({"started_s": 1.0, "by": "virtproto", "masked": False})
RECORD = pack_record(NOTE, 0, 0, 5, b"a note")


class Shower:
    """Keeps what it is to print; ``failure`` is raised instead once that many were shown."""

    def __init__(self, failure: OSError | None = None, after: int = 0) -> None:
        self.closed = False
        self.shown: list[Any] = []
        self.finished = False
        self._failure, self._after = failure, after

    def show(self, told: Iterable[Any]) -> None:
        self.shown += told
        if self._failure is not None and len(self.shown) > self._after:
            raise self._failure

    def rest(self) -> float | None:
        return None

    def finish(self) -> None:
        self.finished = True


def report(shower: Shower, data: bytes, path: Path | None = None) -> int:
    recording = RecordingFile(str(path)) if path is not None else None
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        return Report(shower, recording).work(reading)  # type: ignore[arg-type]
    finally:
        os.close(reading)


def kept(path: Path) -> int:
    reader = RecordReader()
    reader.feed(path.read_bytes())
    assert reader.finish() is None
    return reader.count


def test_all_is_told_and_kept(tmp_path: Path) -> None:
    shower = Shower()
    assert report(shower, HEAD + RECORD * 3, tmp_path / "a") == 0
    assert [each.text for each in shower.shown] == ["a note"] * 3
    assert shower.finished
    assert kept(tmp_path / "a") == 3


def test_what_cannot_be_printed_is_kept_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shower = Shower(OSError(28, "No space left on device"), 1)
    assert report(shower, HEAD + RECORD * 5, tmp_path / "a") == 1
    assert len(shower.shown) == 2
    assert kept(tmp_path / "a") == 5
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_nobody_who_reads_is_no_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    shower = Shower(BrokenPipeError(32, "Broken pipe"))
    assert report(shower, HEAD + RECORD * 5) == 1
    assert len(shower.shown) == 1
    assert capsys.readouterr().err == ""


def test_where_nobody_wants_to_know_it_ends_at_once() -> None:
    shower = Shower()
    shower.closed = True
    reading, writing = os.pipe()
    try:
        assert Report(shower, None).work(reading) == 0  # type: ignore[arg-type]
    finally:
        os.close(reading)
        os.close(writing)
    assert shower.shown == []


@pytest.mark.parametrize("data", [b"", HEAD[:20], HEAD + RECORD[:-3]])
def test_what_ends_midway_is_told_so(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Shower(), data) == 1
    assert "the rest is not known" in capsys.readouterr().err


def test_a_recording_of_nothing_is_one(tmp_path: Path) -> None:
    assert report(Shower(), HEAD, tmp_path / "a") == 0
    assert kept(tmp_path / "a") == 0
