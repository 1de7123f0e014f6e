"""Which of the formats that can be decoded a file is in, by how it starts.

Responsible for that choice, and for saying what a file is that is none of them. Must not know
files, or what is in them further on.
"""

from __future__ import annotations

from virtproto.errors import RecordingError, UsageError
from virtproto.trace.recording import MAGIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from virtproto.trace.recording import Record

    class Reader(Protocol):
        """What all readers have in common."""

        started_s: float
        error: RecordingError | None

        @property
        def count(self) -> int:
            """How many records, or packets, were found."""

        def feed(self, data: bytes) -> list[Record]:
            """Take bytes and return the records that they complete."""

        def rest(self) -> list[Record]:
            """Return what was held back, where the bytes end."""

        def finish(self) -> RecordingError | None:
            """Return what was wrong."""


__all__ = ["GZIP", "START", "reader_of"]

# So many bytes are enough to tell.
START = 4096

GZIP = b"\x1f\x8b\x08"

_CAPTURES = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x34\xcd\xb2\xa1",
    b"\xa1\xb2\xcd\x34",
    b"\x0a\x0d\x0d\x0a",
)
# Text may have these besides what is printable.
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v\b\x1b")

_LOOKS = (
    (b"\x7fELF", "an ELF program or library"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ\x00", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"QFI\xfb", "a qcow2 image"),
    (b"LibvirtQemudSave", "a domain's saved memory"),
    (b"OggS", "Ogg sound or film"),
    (b"RTSS", "a capture of Microsoft's Network Monitor"),
    (b"GMBU", "a capture of Microsoft's Network Monitor"),
    (b"snoop\x00\x00\x00", "a capture of Solaris' snoop: editcap -F pcapng makes one that is read"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)


def reader_of(start: bytes) -> Reader:
    """Return the reader for a file that starts so; ``start`` is START bytes or the whole file.

    Raises RecordingError for what is in none of the formats, saying what it looks like, and
    UsageError where a library is missing.
    """
    if start[: len(MAGIC)] == MAGIC or (start and MAGIC.startswith(start)):
        from virtproto.trace.reading.recordings import RecordReader

        return RecordReader()
    if start[:6] == MAGIC[:6]:
        raise RecordingError(
            "the recording was changed on its way, as text is: move it as what it is, binary",
            offset=6,
        )
    if start[:4] in _CAPTURES:
        return _capture_reader()
    if not start:
        raise RecordingError("there is not one byte in it")
    from virtproto.trace.reading.raw_packets import RawReader, is_raw

    if is_raw(start):
        return RawReader()
    if _is_text(start):
        from virtproto.trace.reading.hex_text import HexReader

        return HexReader()
    raise RecordingError(
        "this is no recording of virtproto, no pcap or pcapng, no text and no packets of libvirt's"
        f"{_what(start)}"
    )


def _capture_reader() -> Reader:
    try:
        from virtproto.trace.reading.captures import CaptureReader
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "dpkt":
            raise
        raise UsageError(
            "reading captures takes dpkt, which is not installed: pip install 'virtproto[cli]'"
        ) from None
    return CaptureReader()


def _is_text(start: bytes) -> bool:
    """Return whether these bytes are of a text, in whatever encoding."""
    odd = sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in start)
    return odd == 0 or (0 not in start and odd * 100 < len(start))


def _what(start: bytes) -> str:
    from virtproto.trace.looks import looks_like

    for beginning, name in _LOOKS:
        if start.startswith(beginning):
            return f": it looks like {name}"
    if start[257:262] == b"ustar":
        return ": it looks like a tar archive"
    return looks_like(start).replace(", but look like", ": it looks like")
