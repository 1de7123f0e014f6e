"""Records of the bytes that passed in one direction, cut by the length words and nothing else.

Responsible for where packets begin and end, and for leaving out what would be dear to keep. Bytes
come in after they were carried, so nothing here may refuse them: what cannot be packets is told as
bytes. Must not know sockets, or what packets mean beyond the words of their headers.
"""

from __future__ import annotations

from struct import Struct

from virtproto.protocol.limits import FDS_MAX, LENGTH_SIZE, PACKET_MAX, PACKET_MIN
from virtproto.trace.recording import (
    BYTES,
    FROM_CLIENT,
    LEFT_OUT,
    NOTE,
    PACKET,
    pack_record,
)
from virtproto.wire.rpc import (
    MESSAGE_STATUS_CONTINUE,
    MESSAGE_TYPE_CALL_WITH_FDS,
    MESSAGE_TYPE_REPLY_WITH_FDS,
    MESSAGE_TYPE_STREAM,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cutter"]

# Length, type and status; what is between them is not needed.
_HEADER = Struct(">I12xi4xi")
_WORD = Struct(">I")
_WITH_FDS = (MESSAGE_TYPE_CALL_WITH_FDS, MESSAGE_TYPE_REPLY_WITH_FDS)
# Of what is no packet, in one record.
_BYTES_SIZE = 65536


class Cutter:
    """One direction of one conversation.

    ``payloads`` has the data of streams kept. ``edges`` are the places, in the bytes last fed, at
    which packets and the carriers of their descriptors ended.
    """

    __slots__ = (
        "_carriers",
        "_conversation",
        "_flags",
        "_head",
        "_is_foreign",
        "_kept",
        "_left_out",
        "_missing",
        "_payloads",
        "_tell",
        "edges",
    )

    def __init__(
        self,
        conversation: int,
        *,
        from_client: bool,
        tell: Callable[[bytes], object],
        payloads: bool = False,
    ) -> None:
        self._conversation = conversation
        self._flags = FROM_CLIENT if from_client else 0
        self._tell = tell
        self._payloads = payloads
        self.edges: list[int] = []
        # The beginning of a packet, as long as its header or its count of descriptors is cut.
        self._head = b""
        # What is kept of a packet that is not whole, and how many of its bytes are missing.
        self._kept = bytearray()
        self._missing = 0
        self._left_out = False
        # Carriers of descriptors that are still to come.
        self._carriers = 0
        # Whether what came cannot be cut: everything from then on is bytes.
        self._is_foreign = False

    def feed(self, data: memoryview, time_us: int) -> None:
        """Tell of bytes that passed, at a moment in microseconds since the recording began."""
        size = len(data)
        begins = not (self._head or self._missing or self._carriers or self._is_foreign)
        if begins and size >= PACKET_MIN:
            # Nearly always it is one packet, whole.
            length, kind, _status = _HEADER.unpack_from(data)
            if length == size <= PACKET_MAX and kind < MESSAGE_TYPE_STREAM:
                self.edges = [size]
                self._record(PACKET, 0, time_us, bytes(data))
                return
        self._feed(data, size, time_us)

    def end(self, time_us: int) -> None:
        """Tell of what was begun and has not come to its end, as no more bytes follow."""
        if self._head:
            kind = PACKET if len(self._head) >= PACKET_MIN else BYTES
            self._record(kind, 0, time_us, self._head)
        elif self._missing:
            self._record(PACKET, LEFT_OUT if self._left_out else 0, time_us, bytes(self._kept))
            if self._left_out:
                text = f"{self._missing} bytes of the last packet did not come"
                self._record(NOTE, 0, time_us, text.encode())
        elif self._carriers:
            text = f"{self._carriers} descriptors of the last packet did not come"
            self._record(NOTE, 0, time_us, text.encode())
        self._head, self._kept, self._missing, self._carriers = b"", bytearray(), 0, 0

    def _feed(self, data: memoryview, size: int, time_us: int) -> None:
        edges = self.edges = []
        at = 0
        while at < size:
            if self._is_foreign:
                self._tell_foreign(data[at:], time_us)
                edges.append(size)
                return
            if self._missing:
                at = self._go_on(data, at, size, time_us)
            elif self._carriers:
                taken = min(self._carriers, size - at)
                self._carriers -= taken
                at += taken
            else:
                at = self._begin(data, at, size, time_us)
            if not (self._head or self._missing or self._carriers):
                edges.append(at)

    def _begin(self, data: memoryview, at: int, size: int, time_us: int) -> int:
        """Look at the beginning of a packet; return how far that was told or kept."""
        if self._head:
            return self._go_on_with_head(data, at, size, time_us)
        left = size - at
        if left >= LENGTH_SIZE:
            (length,) = _WORD.unpack_from(data, at)
            if not PACKET_MIN <= length <= PACKET_MAX:
                self._is_foreign = True
                return at
        if left < PACKET_MIN:
            self._head = bytes(data[at:])
            return size
        length, kind, status = _HEADER.unpack_from(data, at)
        if kind in _WITH_FDS and length >= PACKET_MIN + LENGTH_SIZE:
            if left < PACKET_MIN + LENGTH_SIZE:
                self._head = bytes(data[at:])
                return size
            (count,) = _WORD.unpack_from(data, at + PACKET_MIN)
            # A count that no peer takes is told by the packet; nobody will send so many.
            self._carriers = count if count <= FDS_MAX else 0
        self._left_out = (
            kind == MESSAGE_TYPE_STREAM
            and status == MESSAGE_STATUS_CONTINUE
            and length > PACKET_MIN
            and not self._payloads
        )
        kept = PACKET_MIN if self._left_out else min(length, left)
        if length <= left:
            flags = LEFT_OUT if self._left_out else 0
            self._record(PACKET, flags, time_us, bytes(data[at : at + kept]))
            return at + int(length)
        self._kept = bytearray(data[at : at + kept])
        self._missing = length - left
        return size

    def _go_on_with_head(self, data: memoryview, at: int, size: int, time_us: int) -> int:
        """Add to a header that was cut, as much as it takes to be looked at."""
        head = self._head
        wanted = PACKET_MIN if len(head) < PACKET_MIN else PACKET_MIN + LENGTH_SIZE
        taken = min(wanted - len(head), size - at)
        head += data[at : at + taken]
        self._head = b""
        # Either it is kept again, or its packet has begun.
        self._begin(memoryview(head), 0, len(head), time_us)
        if self._is_foreign:
            self._tell_foreign(memoryview(head), time_us)
        return at + taken

    def _go_on(self, data: memoryview, at: int, size: int, time_us: int) -> int:
        """Add to a packet that is not whole; return how far it goes."""
        taken = min(self._missing, size - at)
        self._missing -= taken
        if not self._left_out:
            self._kept += data[at : at + taken]
        if not self._missing:
            body = bytes(self._kept)
            self._kept = bytearray()
            self._record(PACKET, LEFT_OUT if self._left_out else 0, time_us, body)
        return at + taken

    def _tell_foreign(self, data: memoryview, time_us: int) -> None:
        for start in range(0, len(data), _BYTES_SIZE):
            self._record(BYTES, 0, time_us, bytes(data[start : start + _BYTES_SIZE]))

    def _record(self, kind: int, flags: int, time_us: int, body: bytes) -> None:
        self._tell(pack_record(kind, self._flags | flags, self._conversation, time_us, body))
