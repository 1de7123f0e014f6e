"""Packets found in bytes that were not made for it: captures with gaps, dumps in a text.

Responsible for following packets by their lengths, for what to do where that ends, and for finding
the next packet again by the looks of its header. Must not know whose bytes they are.
"""

from __future__ import annotations

import re

from virtproto.protocol.framing import HEADER
from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MAX, PACKET_MIN
from virtproto.trace.reading.gathering import Gatherer
from virtproto.wire import PROGRAMS
from virtproto.wire.rpc import (
    MESSAGE_STATUS_CONTINUE,
    MESSAGE_TYPE_CALL,
    MESSAGE_TYPE_STREAM,
    MESSAGE_TYPE_STREAM_HOLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CUT", "STRAY", "WHOLE", "Finder", "plausible"]

# What is found: a WHOLE packet, one that is CUT (its length word says how much is missing at its
# end), and STRAY bytes, which are no packet or the rest of one.
WHOLE, CUT, STRAY = "whole", "cut", "stray"

_VERSION = 1
_MOST_PROCEDURES = 100_000
_STREAMS = (MESSAGE_TYPE_STREAM, MESSAGE_TYPE_STREAM_HOLE)

_NUMBERS = frozenset(PROGRAMS.values())
_words = (number.to_bytes(4, "big") for number in sorted(_NUMBERS))
# Program and version, which stand behind the length word.
_LOOKS = re.compile(
    b"(?:" + b"|".join(map(re.escape, _words)) + b")" + re.escape(_VERSION.to_bytes(4, "big"))
)


def plausible(data: bytes, start: int = 0, *, strict: bool = True) -> bool:
    """Return whether a packet may begin at ``start``, where at least its header is.

    With ``strict`` its program is one of libvirt's and all its numbers are what they can be, so
    that random bytes never pass; without, programs and procedures may be unknown ones.
    """
    length, program, version, procedure, kind, _, status = HEADER.unpack_from(data, start)
    if not PACKET_MIN <= length <= PACKET_MAX:
        return False
    known = program in _NUMBERS and version == _VERSION
    possible = (
        MESSAGE_TYPE_CALL <= kind <= MESSAGE_TYPE_STREAM_HOLE
        and 0 <= status <= MESSAGE_STATUS_CONTINUE
        and (status != MESSAGE_STATUS_CONTINUE or kind in _STREAMS)
    )
    if strict:
        return known and possible and 0 < procedure < _MOST_PROCEDURES
    return known or (possible and version == _VERSION)


class Finder:
    """The packets of one direction, from bytes and gaps in their order.

    ``in_step`` tells whether the next byte is known to belong to a packet, ``found`` how many
    packets there were.
    """

    def __init__(self, *, in_step: bool = True) -> None:
        self.in_step = in_step
        self.found = 0
        self._bytes = Gatherer(PACKET_MIN)
        # What is still to come of a packet that was told as cut.
        self._skip = 0

    @property
    def held(self) -> int:
        """Bytes of a packet that is not complete."""
        return self._bytes.held

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Take bytes; yield what they complete.

        Each byte is in one packet or stray, but for the ends of packets that were told as cut.
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        whole = self._bytes.add(data)
        if whole is None:
            return
        position, wanted = 0, PACKET_MIN
        while len(whole) - position >= PACKET_MIN:
            if not self.in_step:
                start = self._search(whole, position)
                if start > position:
                    yield STRAY, whole[position:start]
                    position = start
                if not self.in_step:
                    break
            if not plausible(whole, position, strict=not self.found):
                self.in_step = False
                continue
            length = int.from_bytes(whole[position : position + LENGTH_SIZE], "big")
            if len(whole) - position < length:
                wanted = length
                break
            self.found += 1
            yield WHOLE, whole[position : position + length]
            position += length
        self._bytes.use(position, wanted)

    def gap(self, size: int) -> Iterator[tuple[str, bytes]]:
        """Say that ``size`` bytes are missing here; yield the packet that they cut, if they do.

        Where they end within that packet, the next one's place is known all the same.
        """
        if self._skip:
            self.in_step = self.in_step and size <= self._skip
            self._skip = max(self._skip - size, 0)
            return
        held = self._bytes.all()
        known = self.in_step and len(held) >= LENGTH_SIZE
        length = int.from_bytes(held[:LENGTH_SIZE], "big") if known else 0
        self.in_step = known and len(held) + size <= length <= PACKET_MAX
        if known and len(held) >= PACKET_MIN:
            self.found += 1
            yield CUT, held
        elif held:
            yield STRAY, held
        if self.in_step:
            self._skip = length - len(held) - size
        self._bytes.use(len(held), PACKET_MIN)

    def finish(self) -> Iterator[tuple[str, bytes]]:
        """Yield what is left where the bytes end."""
        held = self._bytes.all()
        if held:
            whole = self.in_step and len(held) >= PACKET_MIN
            yield (CUT if whole else STRAY), held
        self._bytes.use(len(held), PACKET_MIN)

    def _search(self, data: bytes, start: int) -> int:
        """Return where the next packet begins, or from where on it is to be searched later."""
        for match in _LOOKS.finditer(data, start + LENGTH_SIZE):
            begin = match.start() - LENGTH_SIZE
            if len(data) - begin < PACKET_MIN:
                return begin
            if plausible(data, begin):
                self.in_step = True
                return begin
        return max(len(data) - PACKET_MIN + 1, start)
