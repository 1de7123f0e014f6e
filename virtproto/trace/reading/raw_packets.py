"""Packets back to back, as somebody saved them from a connection, as records.

Responsible for nothing but that: who sent them is guessed from their types. Must not know files.
"""

from __future__ import annotations

from virtproto.errors import RecordingError
from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.reading.packet_finding import CUT, STRAY, Finder, plausible
from virtproto.trace.reading.senders import Senders
from virtproto.trace.recording import BEGIN, BYTES, FROM_CLIENT, NOTE, PACKET, Record

__all__ = ["RawReader", "is_raw"]

_MOST_SHOWN = 4096


def is_raw(start: bytes) -> bool:
    """Return whether bytes that start so are a packet of libvirt's."""
    return len(start) >= PACKET_MIN and plausible(start)


class RawReader:
    """Turn bytes into records; used as a `recordings.RecordReader`: `feed`, `rest` and `finish`.

    There are no times: all records have 0. ``incomplete`` is true if bytes are no packet.
    """

    def __init__(self) -> None:
        self.error: RecordingError | None = None
        self.started_s = 0.0
        self.count = 0
        self.incomplete = False
        self._finder = Finder()
        self._senders = Senders()
        self._told = 0
        self._stray = False

    def feed(self, data: bytes) -> list[Record]:
        """Take bytes, of any number, and return the records that they complete; never raise."""
        records = [] if self.count or self._told else [Record(BEGIN, 0, 1, 0.0, b"{}")]
        self._told += 1
        for what, found in self._finder.feed(data):
            self._found(what, found, records)
        return records

    def rest(self) -> list[Record]:
        """Return what was held back: the bytes end here."""
        records: list[Record] = []
        for what, found in self._finder.finish():
            self._found(what, found, records)
        return records

    def finish(self) -> RecordingError | None:
        """Return None: what is wrong is in the records, and in ``incomplete``."""
        return self.error

    def _found(self, what: str, data: bytes, records: list[Record]) -> None:
        self.incomplete = self.incomplete or what is STRAY or what is CUT
        if what is STRAY:
            if not self._stray:
                text = f"after {self.count} packets come bytes that are none"
                records.append(Record(NOTE, 0, 1, 0.0, text.encode()))
                records.append(Record(BYTES, 0, 1, 0.0, data[:_MOST_SHOWN]))
            self._stray = True
            return
        self._stray = False
        self.count += 1
        flags = FROM_CLIENT if self._senders.from_client(data) else 0
        records.append(Record(PACKET, flags, 1, 0.0, data))
