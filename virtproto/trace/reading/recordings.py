"""Recordings read as they come: a head and records from bytes that were split anywhere.

Responsible for what a recording's bytes may be, and for saying where they are damaged; what was
whole before that is handed out. Must not know files, or what packets mean.
"""

from __future__ import annotations

import json
from zlib import crc32

from virtproto.errors import RecordingError
from virtproto.protocol.limits import PACKET_MAX
from virtproto.trace.reading.gathering import Gatherer
from virtproto.trace.recording import (
    BEGIN,
    CHECK_SIZE,
    FILE_HEAD,
    MAGIC,
    NOTE,
    RECORD_HEAD,
    VERSION,
    Record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LAST_S", "RecordReader"]

# The JSON object of a head; a body is bounded by the largest packet.
_HEAD_MAX = 1 << 20
_BODY_MAX = PACKET_MAX

# The year 9999: later times are damage, and no calendar of ours can name them.
LAST_S = 253402300800.0

_KINDS = frozenset(range(BEGIN, NOTE + 1))


class RecordReader:
    """Cut the bytes of one recording into records.

    `feed` hands out what is whole. What cannot be sets ``error``, with the offset of the record
    that is damaged; from then on nothing comes out and further bytes are dropped. Call `finish`
    where the bytes end: it tells a recording that was cut off.

    ``about`` is what the head says, None until it was read; ``started_s`` the moment to which the
    records' times are relative, in seconds since the epoch. ``count`` is how many records were
    read. Those of kinds that this version does not have are left out, and counted in ``skipped``.
    """

    def __init__(self) -> None:
        self.about: dict[str, Any] | None = None
        self.started_s = 0.0
        self.error: RecordingError | None = None
        self.count = 0
        self.skipped = 0
        self._bytes = Gatherer(FILE_HEAD.size)

    @property
    def offset(self) -> int:
        """Where the next record begins."""
        return self._bytes.offset

    def feed(self, data: bytes) -> list[Record]:
        """Take bytes, of any number, and return the records that they complete; never raise."""
        records: list[Record] = []
        if self.error is not None:
            return records
        whole = self._bytes.add(data)
        if whole is not None and self.about is None:
            whole = self._read_head(whole)
        if whole is not None and self.error is None:
            self._read_records(whole, records)
        if self.error is not None:
            self._bytes.clear()
        return records

    def rest(self) -> list[Record]:
        """Return what was held back, which is nothing: other readers have the same method."""
        return []

    def finish(self) -> RecordingError | None:
        """Return what was wrong up to the end of the bytes, which is here; None if nothing was.

        It is in ``error`` as well.
        """
        if self.error is not None:
            return self.error
        held = self._bytes.held
        if self.about is None:
            start = self._bytes.all()
            if not start:
                self._fail("this is no recording: there is not one byte")
            elif start[: len(MAGIC)] == MAGIC[: len(start)]:
                self._fail(f"the recording ends within its head, after {held} bytes")
            else:
                self._fail("this is no recording: it does not begin as one")
        elif held:
            self._fail(
                f"the recording is cut off within its last record, of which {held} bytes are there"
            )
        return self.error

    def _read_head(self, data: bytes) -> bytes | None:
        """Read the head that ``data`` begins with; return what follows, None if it is not whole."""
        magic, version, size = FILE_HEAD.unpack_from(data)
        end: int = FILE_HEAD.size + size
        if magic != MAGIC:
            self._fail("this is no recording: it does not begin as one")
        elif version != VERSION:
            self._fail(
                f"the recording is of version {version}, and this release of virtproto reads"
                f" version {VERSION}"
            )
        elif size > _HEAD_MAX:
            self._fail(f"the recording's head says that it has {size} bytes: it is damaged")
        elif len(data) < end:
            self._bytes.use(0, end)
        elif self._understand(data[FILE_HEAD.size : end]):
            self._bytes.use(end, RECORD_HEAD.size)
            return self._bytes.add(b"")
        return None

    def _understand(self, text: bytes) -> bool:
        try:
            about = json.loads(text)
        except (ValueError, RecursionError):
            about = None
        if not isinstance(about, dict):
            self._fail("the recording's head holds no JSON object: it is damaged")
            return False
        started = about.get("started_s", 0.0)
        known = isinstance(started, int | float) and not isinstance(started, bool)
        if not known or not 0 <= started < LAST_S:
            self._fail("the recording's head has a started_s that is no time")
            return False
        self.about, self.started_s = about, float(started)
        return True

    def _read_records(self, data: bytes, records: list[Record]) -> None:
        """Append the records that are whole; what is behind them is kept."""
        position = 0
        wanted = RECORD_HEAD.size
        available = len(data)
        view = memoryview(data)
        while available - position >= RECORD_HEAD.size:
            size, kind, flags, conversation, time_us = RECORD_HEAD.unpack_from(data, position)
            time_s = time_us / 1e6
            if size > _BODY_MAX:
                self._damaged(position, f"it says that its body has {size} bytes")
                break
            body = position + RECORD_HEAD.size
            end = body + size
            if available < end + CHECK_SIZE:
                wanted = end + CHECK_SIZE - position
                break
            if crc32(view[position:end]) != int.from_bytes(view[end : end + CHECK_SIZE], "big"):
                self._damaged(position, "its checksum is another")
                break
            if self.started_s + time_s >= LAST_S:
                self._damaged(position, "its time is beyond all calendars")
                break
            if kind in _KINDS:
                records.append(Record(kind, flags, conversation, time_s, data[body:end]))
                self.count += 1
            else:
                self.skipped += 1
            position = end + CHECK_SIZE
        self._bytes.use(position, wanted)

    def _damaged(self, place: int, how: str) -> None:
        number = self.count + self.skipped + 1
        self._fail(f"record {number} is damaged: {how}", place)

    def _fail(self, reason: str, place: int = 0) -> None:
        self.error = RecordingError(reason, offset=self.offset + place)
