"""The recording of conversations: a head, then records, one for each thing that happened.

Responsible for the format, which is docs/recording.md: making heads and records, and reading both
also where they are damaged. Must not know files, or what packets mean.

A head is MAGIC, the u16 of the version, the u32 size of a JSON object, and that object in UTF-8:
``started_s`` (seconds since the epoch, to which all times are relative), ``by``, ``masked``. A
record is its head (u32 size of the body, u8 kind, u8 flags, u32 conversation, u64 time in
microseconds), the body, and the CRC-32 of both. All numbers are big-endian.
"""

from __future__ import annotations

import json
from struct import Struct
from zlib import crc32

__all__ = [
    "BEGIN",
    "BYTES",
    "CHECK_SIZE",
    "END",
    "FILE_HEAD",
    "FROM_CLIENT",
    "LEFT_OUT",
    "MAGIC",
    "MASKED",
    "NOTE",
    "PACKET",
    "RECORD_HEAD",
    "VERSION",
    "Record",
    "pack_head",
    "pack_record",
]

MAGIC = b"\x89VPREC\r\n"
VERSION = 1

# Kinds of records. BEGIN of a conversation (a JSON object: what is known of its ends), a PACKET
# (as it is on the wire, carriers of descriptors excluded), BYTES that are no packet, the END of one
# direction's bytes or of a conversation (a text: why), a NOTE (a text) to whoever reads.
BEGIN, PACKET, BYTES, END, NOTE = range(1, 6)

# Flags. FROM_CLIENT tells the direction (of an END: who ended), MASKED that secrets in the body
# were overwritten, LEFT_OUT that bytes at the packet's end were not kept: its length word tells how
# many.
FROM_CLIENT, MASKED, LEFT_OUT = 1, 2, 4

# The head of a file up to its JSON object, the head of a record, and the size of its checksum.
FILE_HEAD = Struct(">8sHI")
RECORD_HEAD = Struct(">IBBIQ")
CHECK_SIZE = 4


class Record:
    """One record; ``time_s`` is in seconds since the recording began."""

    __slots__ = ("body", "conversation", "flags", "kind", "time_s")

    def __init__(
        self, kind: int, flags: int, conversation: int, time_s: float, body: bytes
    ) -> None:
        self.kind = kind
        self.flags = flags
        self.conversation = conversation
        self.time_s = time_s
        self.body = body

    @property
    def from_client(self) -> bool:
        """Whether the client sent it."""
        return bool(self.flags & FROM_CLIENT)

    def __repr__(self) -> str:
        # A body may hold passwords.
        return f"<Record kind={self.kind} conversation={self.conversation} {len(self.body)} bytes>"


def pack_head(about: dict[str, object]) -> bytes:
    """Return the head of a recording; ``about`` has ``started_s`` and what else is to be known."""
    text = json.dumps(about, separators=(",", ":")).encode()
    return FILE_HEAD.pack(MAGIC, VERSION, len(text)) + text


def pack_record(kind: int, flags: int, conversation: int, time_us: int, body: bytes) -> bytes:
    """Return one record; ``time_us`` is in microseconds since ``started_s``."""
    head = RECORD_HEAD.pack(len(body), kind, flags, conversation, time_us)
    return b"".join((head, body, crc32(body, crc32(head)).to_bytes(CHECK_SIZE, "big")))
