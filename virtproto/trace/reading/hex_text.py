"""Packets out of a text: what somebody pasted into a report, as records.

Responsible for joining pieces of bytes to packets, for frames of a capture among them, and for who
sent what, which a text does not tell: types do. Must not know files, or how texts show bytes.
"""

from __future__ import annotations

import json

from virtproto.errors import RecordingError
from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MIN
from virtproto.trace.looks import looks_like
from virtproto.trace.reading.hex_lines import pieces_of
from virtproto.trace.reading.packet_finding import CUT, STRAY, Finder, plausible
from virtproto.trace.reading.senders import Senders
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    FROM_CLIENT,
    MASKED,
    NOTE,
    PACKET,
    Record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.reading.connections import Connections
    from virtproto.trace.reading.hex_lines import Piece

__all__ = ["HexReader"]

# Texts are read as a whole, in many times their size of memory: those of reports are small.
_MOST = 32 << 20

# Link layers that a dumped frame may begin with: Ethernet, Linux cooked, IP without any.
_LINKS = (1, 276, 113, 101)

_MOST_SHOWN = 4096
_FRAME_MIN = 14


class _Talk:
    """One conversation: its number, and who says what in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.senders = Senders()


class HexReader:
    """Turn a text with bytes in it into records.

    It is used as a `recordings.RecordReader`: `feed`, `rest` and `finish`. Texts have no times: all
    records have 0. ``incomplete`` is true if a packet is cut or bytes make no sense.
    """

    def __init__(self) -> None:
        self.error: RecordingError | None = None
        self.started_s = 0.0
        self.count = 0
        self.incomplete = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._numbers = 0
        # The conversation of each descriptor, and (None) that of packets without one.
        self._talks: dict[str | None, _Talk] = {}
        # A packet that is cut, what may be its rest, and how many bytes are missing.
        self._pending: Piece | None = None
        self._rest: list[bytes] = []
        self._missing = 0
        self._channels: dict[tuple[str, bool], Finder] = {}
        self._captured: Connections | None = None
        self._pieces = 0

    @property
    def offset(self) -> int:
        """How many bytes of the text came."""
        return self._size

    def feed(self, data: bytes) -> list[Record]:
        """Take bytes of the text; what is in it is known at its end, see `rest`."""
        if self.error is None:
            self._chunks.append(data)
            self._size += len(data)
            if self._size > _MOST:
                self.error = RecordingError(
                    f"the text has more than {_MOST >> 20} MiB: make bytes of it first"
                )
                self._chunks = []
        return []

    def rest(self) -> list[Record]:
        """Return the records of all that came."""
        records: list[Record] = []
        text = b"".join(self._chunks).decode("latin-1")
        self._chunks = []
        for piece in pieces_of(text):
            self._pieces += 1
            if piece.channel is not None:
                self._of_channel(piece, records)
            else:
                self._of_dump(piece, records)
        self._cut(records)
        for channel, finder in self._channels.items():
            for what, data in finder.finish():
                self._found(what, data, records, channel=channel)
        if self._captured is not None:
            records += self._captured.finish()
            self.count += self._captured.packets
            self.incomplete = self.incomplete or self._captured.incomplete
        return records

    def finish(self) -> RecordingError | None:
        """Return what was wrong up to the end of the text, which is here, after `rest`."""
        if self.error is None and not self.count:
            if self._captured is not None:
                reason = self._captured.nothing_found()
            elif self._pieces:
                reason = f"{self._pieces} pieces of the text are bytes, but no packets of libvirt's"
            else:
                reason = "there are no bytes in the text: no digits, dumps, arrays or escapes"
            self.error = RecordingError(reason)
        return self.error

    def _of_channel(self, piece: Piece, records: list[Record]) -> None:
        """Take what a program wrote to a descriptor, or read from it."""
        channel = piece.channel
        assert channel is not None
        # Most of what a program reads and writes is something else.
        finder = self._channels.setdefault(channel, Finder(in_step=False))
        for what, data in finder.feed(piece.data):
            self._found(what, data, records, channel=channel)
        if piece.missing:
            for what, data in finder.gap(piece.missing):
                self._found(what, data, records, channel=channel)

    def _of_dump(self, piece: Piece, records: list[Record]) -> None:
        """Take bytes that stood together: packets, the rest of one, or a frame with some."""
        before = self._pending
        begins = len(piece.data) >= PACKET_MIN and plausible(piece.data)
        if before is not None and not begins:
            before.masked = before.masked or piece.masked
            self._rest.append(piece.data)
            self._missing -= len(piece.data)
            if self._missing > 0:
                return
            piece = self._joined(before)
        elif before is not None:
            self._cut(records)
        elif not begins and self._is_frame(piece, records):
            return
        finder = Finder()
        found = [*finder.feed(piece.data), *finder.finish()]
        stray = b""
        for what, data in found:
            if what is STRAY:
                stray += data
                continue
            self._found(STRAY, stray, records, piece=piece)
            stray = b""
            if what is CUT:
                # Its rest may stand elsewhere in the text.
                piece.data = data
                self._pending = piece
                self._missing = int.from_bytes(data[:LENGTH_SIZE], "big") - len(data)
            else:
                self._found(what, data, records, piece=piece)
        self._found(STRAY, stray, records, piece=piece)

    def _cut(self, records: list[Record]) -> None:
        """Tell a packet whose rest is nowhere in the text."""
        if self._pending is not None:
            piece = self._joined(self._pending)
            self._found(CUT, piece.data, records, piece=piece)

    def _joined(self, piece: Piece) -> Piece:
        """Return the packet that is cut with all that came behind it, which ends the wait."""
        piece.data = b"".join((piece.data, *self._rest))
        self._pending = None
        self._rest.clear()
        return piece

    def _is_frame(self, piece: Piece, records: list[Record]) -> bool:
        try:
            from virtproto.trace.reading.connections import Connections
            from virtproto.trace.reading.frames import Segment, segment_of
        except ImportError:
            # Without dpkt nothing can be said of frames.
            return False
        for link in _LINKS:
            found = segment_of(link, piece.data, 0.0)
            # Nearly any bytes may be IP's if nothing stands before it.
            if isinstance(found, Segment) or (found is not None and link != _LINKS[-1]):
                if self._captured is None:
                    self._captured = Connections(self._next_number)
                records += self._captured.add(link, piece.data, 0.0)
                return True
        # Among frames, what is none of IP's is a frame as well.
        return self._captured is not None and len(piece.data) >= _FRAME_MIN

    def _found(
        self,
        what: str,
        data: bytes,
        records: list[Record],
        *,
        piece: Piece | None = None,
        channel: tuple[str, bool] | None = None,
    ) -> None:
        descriptor, wrote = channel or (None, None)
        if what is STRAY:
            if piece is not None and self._worth_telling(data):
                self.incomplete = True
                talk = self._talk(descriptor, records)
                self._note(talk, f"line {piece.line}: {len(data)} bytes are no packet", records)
                records.append(Record(BYTES, 0, talk.number, 0.0, data[:_MOST_SHOWN]))
            return
        talk = self._talk(descriptor, records)
        self.count += 1
        flags = FROM_CLIENT if talk.senders.from_client(data, wrote) else 0
        if what is CUT:
            self.incomplete = True
            if piece is not None:
                self._note(talk, f"the packet in line {piece.line} is not whole", records)
        if piece is not None and piece.masked:
            flags |= MASKED
        records.append(Record(PACKET, flags, talk.number, 0.0, data))

    @staticmethod
    def _worth_telling(data: bytes) -> bool:
        # A few digits in a text are a number; what looks like something is worth telling.
        return len(data) >= PACKET_MIN or bool(looks_like(data))

    def _talk(self, descriptor: str | None, records: list[Record]) -> _Talk:
        found = self._talks.get(descriptor)
        if found is None:
            found = self._talks[descriptor] = _Talk(self._next_number())
            about = b"{}"
            if descriptor is not None:
                about = json.dumps({"descriptor": int(descriptor)}).encode()
            records.append(Record(BEGIN, 0, found.number, 0.0, about))
        return found

    @staticmethod
    def _note(talk: _Talk, text: str, records: list[Record]) -> None:
        records.append(Record(NOTE, 0, talk.number, 0.0, text.encode()))

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers
