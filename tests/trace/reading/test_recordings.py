"""Recordings come back as they were written, however their bytes arrive, damage excepted."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.place import repository
from virtproto.protocol.limits import PACKET_MAX
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    END,
    FILE_HEAD,
    FROM_CLIENT,
    LEFT_OUT,
    MAGIC,
    MASKED,
    NOTE,
    PACKET,
    RECORD_HEAD,
    VERSION,
    Record,
    pack_head,
    pack_record,
)

HEAD = pack_head({"started_s": 1e9, "by": "a test"})
ROWS = [
    (BEGIN, 0, 1, 0, b'{"uri": "test:///default"}'),
    (PACKET, FROM_CLIENT, 1, 17, bytes(range(40))),
    (BYTES, 0, 1, 1_000_000, b""),
    (NOTE, 0, 0, 2_500_000, "ä note".encode()),
    (END, FROM_CLIENT, 1, 10**12, b"it closed"),
]
RECORDING = HEAD + b"".join(pack_record(*row) for row in ROWS)


def _rows(records: list[Record]) -> list[tuple[int, int, int, int, bytes]]:
    return [(it.kind, it.flags, it.conversation, round(it.time_s * 1e6), it.body) for it in records]


@pytest.mark.parametrize("size", [1, 2, 7, 18, 100, len(RECORDING)])
def test_records_are_read_however_their_bytes_are_split(size: int) -> None:
    reader = RecordReader()
    records = []
    for start in range(0, len(RECORDING), size):
        records += reader.feed(RECORDING[start : start + size])
    assert _rows(records) == ROWS
    assert reader.finish() is None
    assert reader.about == {"started_s": 1e9, "by": "a test"}
    assert (reader.started_s, reader.offset, reader.count) == (1e9, len(RECORDING), len(ROWS))


def test_cut_off_recording_gives_what_was_whole() -> None:
    ends = [len(HEAD)]
    for row in ROWS:
        ends.append(ends[-1] + len(pack_record(*row)))
    for cut in range(len(RECORDING)):
        reader = RecordReader()
        records = reader.feed(RECORDING[:cut])
        assert reader.error is None
        whole = [end for end in ends if end <= cut]
        assert len(records) == max(len(whole) - 1, 0)
        error = reader.finish()
        if cut in ends:
            assert error is None
        else:
            assert error is not None
            assert error.offset == (whole[-1] if whole else 0)
            assert ("cut off" in error.reason) if whole else (cut == 0 or "head" in error.reason)


def test_no_changed_byte_of_a_record_goes_unnoticed() -> None:
    for place in range(len(HEAD), len(RECORDING)):
        reader = RecordReader()
        changed = bytearray(RECORDING)
        changed[place] ^= 0x10
        records = reader.feed(bytes(changed))
        error = reader.finish()
        assert error is not None, place
        assert error.offset is not None
        assert len(HEAD) <= error.offset <= place
        assert _rows(records) == ROWS[: len(records)]
        # Nothing comes any more.
        assert reader.feed(RECORDING) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no recording"),
        (b"#!/bin/sh\nexit 0\n", "no recording"),
        (MAGIC[:3], "within its head"),
        (FILE_HEAD.pack(MAGIC, VERSION + 1, 2) + b"{}", "version 2"),
        (FILE_HEAD.pack(MAGIC, VERSION, 1 << 31) + b"{}", "damaged"),
        (FILE_HEAD.pack(MAGIC, VERSION, 2) + b"[]", "no JSON object"),
        (FILE_HEAD.pack(MAGIC, VERSION, 2) + b"{\xff", "no JSON object"),
        (FILE_HEAD.pack(MAGIC, VERSION, 4000) + b"[" * 4000, "no JSON object"),
        (pack_head({"started_s": "noon"}), "started_s"),
        (pack_head({"started_s": True}), "started_s"),
        (pack_head({"started_s": float("nan")}), "started_s"),
        (pack_head({"started_s": 1e300}), "started_s"),
    ],
)
def test_what_is_no_recording_is_told_from_what_is_damaged(data: bytes, words: str) -> None:
    reader = RecordReader()
    reader.feed(data)
    error = reader.finish()
    assert error is not None
    assert error.offset == 0
    assert words in error.reason


def test_size_that_no_packet_has_is_refused_at_once() -> None:
    reader = RecordReader()
    reader.feed(HEAD + RECORD_HEAD.pack(PACKET_MAX + 1, PACKET, 0, 1, 0))
    assert reader.error is not None
    assert reader.error.offset == len(HEAD)


def test_time_that_no_calendar_has_is_refused() -> None:
    reader = RecordReader()
    assert reader.feed(HEAD + pack_record(NOTE, 0, 0, (1 << 64) - 1, b"")) == []
    assert reader.error is not None
    assert "time" in reader.error.reason


def test_kinds_of_a_later_release_are_left_out() -> None:
    reader = RecordReader()
    records = reader.feed(HEAD + pack_record(77, 0, 1, 0, b"?") + pack_record(*ROWS[1]))
    assert _rows(records) == [ROWS[1]]
    assert (reader.finish(), reader.skipped, reader.count) == (None, 1, 1)


def test_head_says_what_else_is_known() -> None:
    about = {"started_s": 5, "by": "later", "more": [1, 2]}
    reader = RecordReader()
    reader.feed(pack_head(about))
    assert reader.about == json.loads(json.dumps(about))
    assert reader.started_s == 5.0


def test_example_that_readers_are_shown_is_a_recording() -> None:
    page = (repository / "docs" / "recording.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^    ([0-9a-f]{4})  ((?:[0-9a-f]{2} )+)", page)
    data = bytes.fromhex("".join(digits for _, digits in rows))
    assert [int(place, 16) for place, _ in rows] == list(range(0, len(data), 16))
    about = {"started_s": 1_700_000_000.0, "by": "virtproto", "masked": True}
    call = bytes.fromhex("0000001c200080860000000100000042000000000000000000000000")
    assert data == pack_head(about) + b"".join(
        (
            pack_record(BEGIN, 0, 1, 0, b'{"client":"virsh","pid":4711}'),
            pack_record(PACKET, FROM_CLIENT, 1, 250, call),
            pack_record(END, FROM_CLIENT, 1, 1_250_000, b""),
        )
    )
    reader = RecordReader()
    assert [each.kind for each in reader.feed(data)] == [BEGIN, PACKET, END]
    assert reader.finish() is None


def test_page_says_what_the_format_has() -> None:
    page = (repository / "docs" / "recording.md").read_text(encoding="utf-8")
    assert f"the version: {VERSION}" in page
    assert f"`{MAGIC.hex(' ')}`" in page
    assert f"at most {PACKET_MAX:,}" in page
    kinds = {"BEGIN": BEGIN, "PACKET": PACKET, "BYTES": BYTES, "END": END, "NOTE": NOTE}
    flags = {"FROM_CLIENT": FROM_CLIENT, "MASKED": MASKED, "LEFT_OUT": LEFT_OUT}
    for name, number in {**kinds, **flags}.items():
        assert f"| {number} {name} |" in page
