"""A file is known by how it starts, and what is none of the formats is told by its looks."""

from __future__ import annotations

import sys

import pytest

from tests.trace.reading.capturing import conversation, pcap, pcapng
from virtproto.errors import RecordingError, UsageError
from virtproto.trace.reading.captures import CaptureReader
from virtproto.trace.reading.formats import reader_of
from virtproto.trace.reading.hex_text import HexReader
from virtproto.trace.reading.raw_packets import RawReader
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import BYTES, MAGIC, NOTE, PACKET, pack_head

SAID = conversation(4)
RAW = b"".join(data for _, data in SAID)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (pack_head({"started_s": 1.0}), RecordReader),
        (MAGIC[:2], RecordReader),
        (pcap([]), CaptureReader),
        (pcap([], order=">", nano=True), CaptureReader),
        (pcapng([], order=">"), CaptureReader),
        (RAW, RawReader),
        (b"0000001c 20008086\n", HexReader),
        ("Grüße\x1b[1m aus Köln\n".encode("latin-1"), HexReader),
        (b"\r\n", HexReader),
    ],
)
def test_formats_are_known_by_their_beginnings(start: bytes, kind: type) -> None:
    assert isinstance(reader_of(start), kind)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "not one byte"),
        (MAGIC.replace(b"\r\n", b"\n") + bytes(20), "as text is"),
        (b"\x7fELF\x02\x01\x01" + bytes(40), "an ELF program"),
        (b"PK\x03\x04" + bytes(40), "a zip archive"),
        (b"QFI\xfb" + bytes(40), "a qcow2 image"),
        (bytes(257) + b"ustar" + bytes(99), "a tar archive"),
        (b"\x16\x03\x01\x02\x00" + bytes(40), "TLS"),
        (b"\xff\xfeh\0i\0", "UTF-16"),
        (bytes(range(200)), "no recording"),
    ],
)
def test_what_is_none_of_them_is_told(start: bytes, words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        reader_of(start)


def test_missing_library_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("dpkt", "virtproto.trace."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dpkt", None)
    with pytest.raises(UsageError, match=r"pip install 'virtproto\[cli\]'"):
        reader_of(pcap([]))


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
def test_packets_back_to_back_are_read(size: int) -> None:
    reader = RawReader()
    records = []
    for start in range(0, len(RAW), size):
        records += reader.feed(RAW[start : start + size])
    records += reader.rest()
    assert reader.finish() is None
    assert not reader.incomplete
    packets = [(each.from_client, each.body) for each in records if each.kind == PACKET]
    assert packets == SAID


def test_bytes_between_packets_are_told_once() -> None:
    reader = RawReader()
    records = reader.feed(RAW + b"garbage" * 50 + RAW[: len(RAW) - 3])
    records += reader.rest()
    assert reader.incomplete
    kinds = [each.kind for each in records]
    assert (kinds.count(PACKET), kinds.count(BYTES), kinds.count(NOTE)) == (2 * len(SAID), 1, 1)
