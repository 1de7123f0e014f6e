"""A conversation of a capture: what two directions' bytes are, as records.

Responsible for knowing libvirt by its looks, who of the two is the client, and for saying what is
missing. Must not know segments or files.
"""

from __future__ import annotations

import json

from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.looks import looks_like
from virtproto.trace.reading.packet_finding import STRAY, Finder, plausible
from virtproto.trace.reading.senders import sent_by_client
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    END,
    FROM_CLIENT,
    NOTE,
    PACKET,
    Record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CapturedConversation"]

_SASL_PROCEDURES = (67, 68, 69)

# Of bytes that are no packets this much is kept, for whoever asks to see them.
_MOST_SHOWN = 4096

_NAMES = ("the daemon", "the client")


class CapturedConversation:
    """One connection between two addresses; its first side is told of by ``first=True``.

    ``number`` is its number in the recording, 0 as long as it is not known to be libvirt's;
    ``other`` says what it is where it is something else, empty if nobody can say. ``incomplete``
    is true where bytes are missing or make no sense.
    """

    def __init__(
        self,
        names: tuple[str, str],
        *,
        begun: bool,
        daemon_second: bool | None,
        number: Callable[[], int],
    ) -> None:
        """Begin with the ``names`` of both ends, the first side's first.

        ``begun`` tells whether the connection's first bytes are seen; ``daemon_second`` is a guess
        that is heeded where packets do not tell who is who, and certain if ``begun``. ``number``
        is called for a number once it is libvirt's.
        """
        self.names = names
        self.number = 0
        self.other: str | None = None
        self.size = 0
        self.incomplete = False
        self._begun = begun
        self._guess = daemon_second is not False
        self._client: bool | None = self._guess if begun else None
        self._take_number = number
        self._finders = (Finder(in_step=begun), Finder(in_step=begun))
        self._stray = [0, 0]
        self._sasl = False
        # Bytes that were not captured before anything was known to be libvirt's.
        self._missed = 0

    @property
    def held(self) -> int:
        """Bytes of packets that are not complete."""
        return sum(each.held for each in self._finders)

    def data(self, first: bool, time_s: float, data: bytes) -> Iterator[Record]:
        """Take bytes of one side, and yield the records that they complete."""
        self.size += len(data)
        if self.other is not None:
            return
        finder = self._finders[not first]
        if not self.number and not finder.held and not self._looks_right(finder, data):
            self.other = looks_like(data).removeprefix(", but look like ")
            return
        for what, found in finder.feed(data):
            yield from self._records(first, time_s, what, found)

    def gap(self, first: bool, time_s: float, size: int) -> Iterator[Record]:
        """Say that ``size`` bytes of one side were not captured."""
        if self.other is not None:
            return
        self.incomplete = True
        for what, found in self._finders[not first].gap(size):
            yield from self._records(first, time_s, what, found)
        if self.number:
            yield self._note(time_s, f"{size} bytes of {self._who(first)} were not captured")
        else:
            self._missed += size

    def ended(self, first: bool, time_s: float, why: str) -> Iterator[Record]:
        """Say that one side sends no more, and ``why`` unless it said so itself."""
        if self.other is not None:
            return
        for what, found in self._finders[not first].finish():
            self.incomplete = True
            yield from self._records(first, time_s, what, found)
        if self.number:
            yield from self._stray_ends(first, time_s)
            yield self._record(END, first, time_s, why.encode())

    @staticmethod
    def _looks_right(finder: Finder, data: bytes) -> bool:
        """Return whether the first bytes of a side may be libvirt's."""
        if finder.in_step:
            return len(data) < PACKET_MIN or plausible(data)
        return "TLS" not in looks_like(data)

    def _records(self, first: bool, time_s: float, what: str, data: bytes) -> Iterator[Record]:
        if what is STRAY:
            yield from self._astray(first, time_s, data)
            return
        if not self.number:
            yield self._begin(first, time_s, data)
            if not self._begun:
                yield self._note(time_s, "the capture begins in the middle of this conversation")
            elif self._missed:
                yield self._note(time_s, f"{self._missed} bytes before this were not captured")
        yield from self._stray_ends(first, time_s)
        if int.from_bytes(data[12:16], "big") in _SASL_PROCEDURES:
            self._sasl = True
        # One that is cut has no flag: nobody meant to leave anything out.
        yield self._record(PACKET, first, time_s, data)

    def _begin(self, first: bool, time_s: float, packet: bytes) -> Record:
        self.number = self._take_number()
        if self._client is None:
            sends = sent_by_client(packet)
            self._client = self._guess if sends is None else sends == first
        client, daemon = self.names if self._client else self.names[::-1]
        about: dict[str, object] = {"client": client, "daemon": daemon}
        text = json.dumps(about, separators=(",", ":")).encode()
        return Record(BEGIN, 0, self.number, time_s, text)

    def _astray(self, first: bool, time_s: float, data: bytes) -> Iterator[Record]:
        seen = self._stray[not first]
        self._stray[not first] += len(data)
        if not self.number:
            return
        self.incomplete = True
        if seen:
            return
        if self._sasl:
            text = f"what {self._who(first)} sends is wrapped by a SASL security layer, it seems"
            yield self._note(time_s, text)
        yield self._record(BYTES, first, time_s, data[:_MOST_SHOWN])

    def _stray_ends(self, first: bool, time_s: float) -> Iterator[Record]:
        size = self._stray[not first]
        self._stray[not first] = 0
        if size:
            text = f"{size} bytes of {self._who(first)} were passed over: they are no whole packet"
            yield self._note(time_s, text)

    def _who(self, first: bool) -> str:
        return _NAMES[first == self._client]

    def _note(self, time_s: float, text: str) -> Record:
        return Record(NOTE, 0, self.number, time_s, text.encode())

    def _record(self, kind: int, first: bool, time_s: float, body: bytes) -> Record:
        flags = FROM_CLIENT if first == self._client else 0
        return Record(kind, flags, self.number, time_s, body)
