"""Packets: the length word and header in front of every payload.

Responsible for: printing a packet, and cutting a stream of bytes into packets however it was
split. Must not know what a serial, a call or a stream is: any header with a possible length passes.

A packet is a u32 length that counts itself, six header words (program, version, procedure, type,
serial, status), for the two types that announce file descriptors a u32 count, then the payload.
Descriptors travel outside of the bytes: each rides on one carrier byte after the packet. The reader
swallows the carriers and says how many it still expects; fetching descriptors is for its user.

Source: virnetprotocol.x, virnetmessage.c.
"""

# ruff: noqa: RUF023 - slots stand in the order of the header, state next to what it belongs to

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from virtproto.errors import EncodeError, FramingError
from virtproto.protocol.limits import FDS_MAX, LENGTH_SIZE, PACKET_MAX, PACKET_MIN, PAYLOAD_MAX
from virtproto.wire.rpc import MESSAGE_TYPE_CALL_WITH_FDS, MESSAGE_TYPE_REPLY_WITH_FDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    Header = tuple[int, int, int, int, int, int, int]
    Buffer = bytes | bytearray | memoryview

__all__ = ["HEADER", "Packet", "PacketReader", "pack_header", "pack_packet"]

# Length, program, version, procedure, type, serial, status.
HEADER = Struct(">IIIiiIi")
_WORD = Struct(">I")
_TYPES_WITH_FDS = (MESSAGE_TYPE_CALL_WITH_FDS, MESSAGE_TYPE_REPLY_WITH_FDS)
_new_packet = object.__new__

# Pieces of an unfinished payload below this size are gathered in one buffer, larger ones are kept
# as they came and joined once: neither bytes that trickle in nor 32 MiB cost more than linear time.
_SMALL_PIECE = 4096


class Packet:
    """One packet: the header words, the payload without them, and the count of descriptors.

    ``nfds`` is the number of descriptors that came after the packet, None where the type has no
    such count. ``type``, ``status`` and the rest are plain ints and may be any the wire carries.
    """

    __slots__ = (
        "program",
        "version",
        "procedure",
        "type",
        "serial",
        "status",
        "payload",
        "nfds",
    )

    def __init__(
        self,
        program: int,
        version: int,
        procedure: int,
        type: int,
        serial: int,
        status: int,
        payload: bytes = b"",
        nfds: int | None = None,
    ) -> None:
        self.program = program
        self.version = version
        self.procedure = procedure
        self.type = type
        self.serial = serial
        self.status = status
        self.payload = payload
        self.nfds = nfds

    def pack(self) -> bytes:
        """Return the packet as bytes, carriers excluded."""
        return pack_packet(
            self.program,
            self.version,
            self.procedure,
            self.type,
            self.serial,
            self.status,
            self.payload,
            self.nfds,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packet):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Payloads may hold passwords: only their size is shown.
        return (
            f"Packet(program={self.program:#x}, version={self.version}, "
            f"procedure={self.procedure}, type={self.type}, serial={self.serial}, "
            f"status={self.status}, payload=<{len(self.payload)} bytes>, nfds={self.nfds})"
        )


def pack_header(
    program: int,
    version: int,
    procedure: int,
    type: int,
    serial: int,
    status: int,
    size: int,
    nfds: int | None = None,
) -> bytes:
    """Return everything in front of a payload of ``size`` bytes, the count of descriptors included.

    Raises EncodeError for a payload or a count above the protocol's limit and for a number that
    its header word cannot hold.
    """
    length = PACKET_MIN + size
    if nfds is not None:
        if not 0 <= nfds <= FDS_MAX:
            raise EncodeError(f"{nfds} descriptors in one packet, the limit is {FDS_MAX}")
        length += LENGTH_SIZE
    if length > PACKET_MAX:
        room = PAYLOAD_MAX if nfds is None else PAYLOAD_MAX - LENGTH_SIZE
        raise EncodeError(f"a payload of {size} bytes, the limit is {room}")
    try:
        header = HEADER.pack(length, program, version, procedure, type, serial, status)
    except StructError as error:
        raise EncodeError(f"a header word out of range: {error}") from None
    return header if nfds is None else header + _WORD.pack(nfds)


def pack_packet(
    program: int,
    version: int,
    procedure: int,
    type: int,
    serial: int,
    status: int,
    payload: bytes = b"",
    nfds: int | None = None,
) -> bytes:
    """Return one packet as bytes; ``nfds`` for the types that announce descriptors only.

    Raises EncodeError as `pack_header` does.
    """
    size = len(payload)
    return pack_header(program, version, procedure, type, serial, status, size, nfds) + payload


class PacketReader:
    """Cut bytes into packets.

    After each `feed` call `next_packet` until it gives None. A length word or count of
    descriptors that no libvirt peer writes sets ``error``; from then on nothing comes out and
    further bytes are dropped. Memory grows with the bytes that arrived, never with the length that
    a packet declares.

    ``fd_passing`` says whether the transport can carry descriptors (UNIX sockets only): where it
    cannot, a packet that announces some is an error.
    """

    __slots__ = (
        "error",
        "fds_seen",
        "_fd_passing",
        "_data",
        "_pos",
        "_header",
        "_pieces",
        "_missing",
        "_packet",
        "_carriers",
    )

    def __init__(self, *, fd_passing: bool = False) -> None:
        self.error: FramingError | None = None
        self._fd_passing = fd_passing
        # Carrier bytes up to now.
        self.fds_seen = 0
        # Bytes not yet looked at: _data from _pos on. Empty while a payload is incomplete.
        self._data = b""
        self._pos = 0
        # A packet whose header is complete and whose payload is not.
        self._header: Header | None = None
        self._pieces: list[bytes | bytearray] = []
        self._missing = 0
        # A complete packet that waits for the carrier bytes of its descriptors.
        self._packet: Packet | None = None
        self._carriers = 0

    @property
    def bytes_wanted(self) -> int:
        """Bytes that can be read without reading past the packet that is arriving.

        The rest of the header, then the rest of the payload, then the carriers; never 0 unless
        the reader failed or a packet waits to be taken. Reading more than this is fine wherever no
        descriptors can come.
        """
        if self.error is not None:
            return 0
        if self._header is not None:
            return self._missing
        if self._packet is not None:
            return self._carriers
        return max(PACKET_MIN - len(self._data) + self._pos, 1)

    @property
    def fds_expected(self) -> int:
        """Descriptors of the packet just read that are still to come, one per carrier byte."""
        return self._carriers

    @property
    def bytes_held(self) -> int:
        """Bytes of an unfinished packet that have arrived, carriers excluded."""
        if self._header is not None:
            return self._header[0] - self._missing
        if self._packet is not None:
            return PACKET_MIN + LENGTH_SIZE + len(self._packet.payload)
        return len(self._data) - self._pos

    def feed(self, data: Buffer) -> None:
        """Take bytes from the peer, of any number and split anywhere."""
        if self.error is not None:
            return
        if type(data) is not bytes:
            data = bytes(data)
        if self._missing:
            self._feed_payload(data)
        elif self._pos < len(self._data):
            self._data = self._data[self._pos :] + data
            self._pos = 0
        else:
            self._data = data
            self._pos = 0

    def _feed_payload(self, data: bytes) -> None:
        """Add to the incomplete payload; what is beyond it waits in _data."""
        missing = self._missing
        size = len(data)
        if size > missing:
            self._data = data
            self._pos = missing
            data = data[:missing]
            self._missing = 0
        else:
            self._missing = missing - size
        pieces = self._pieces
        if size >= _SMALL_PIECE:
            pieces.append(data)
        elif pieces and type(pieces[-1]) is bytearray:
            pieces[-1] += data
        else:
            pieces.append(bytearray(data))

    def header_of_whole(self, data: bytes) -> Header | None:
        """Return the header of ``data`` if it is exactly one packet and nothing came before it.

        The length word is the first of the seven. Nothing is taken: for anything else `feed` it.
        """
        if self._data or self._header or self._packet or self.error or type(data) is not bytes:
            return None
        size = len(data)
        if size < PACKET_MIN:
            return None
        header = HEADER.unpack_from(data)
        return header if header[0] == size <= PACKET_MAX else None

    def next_packet(self) -> Packet | None:
        """Return the next complete packet, None when more bytes are needed or after a failure."""
        if self._header is not None or self._packet is not None or self.error is not None:
            return self._resume()
        data = self._data
        start = self._pos
        available = len(data) - start
        if available < PACKET_MIN:
            if available >= LENGTH_SIZE:
                self._check_length(_WORD.unpack_from(data, start)[0])
            return None
        header = HEADER.unpack_from(data, start)
        length = header[0]
        if not PACKET_MIN <= length <= PACKET_MAX:
            self._check_length(length)
            return None
        body = start + PACKET_MIN
        if length > available:
            self._begin_payload(header, data[body:], length - available)
            return None
        end = start + length
        if end == len(data):
            self._data = b""
            self._pos = 0
        else:
            self._pos = end
        # A Packet without the call of its __init__, which would cost as much as all of this.
        packet = _new_packet(Packet)
        _, packet.program, packet.version, packet.procedure, kind, packet.serial, status = header
        packet.type = kind
        packet.status = status
        packet.payload = data[body:end]
        packet.nfds = None
        if kind in _TYPES_WITH_FDS:
            return self._count_fds(packet)
        return packet

    def more_like(self, packet: Packet) -> list[bytes]:
        """Return the payloads of whole packets that follow ``packet`` with the same header.

        Only their lengths may differ. It must be of a type without descriptors. This is the short
        way through many small packets that came at once; what it leaves, `next_packet` returns.
        """
        data = self._data
        start = self._pos
        size = len(data)
        found: list[bytes] = []
        if size - start < PACKET_MIN:
            return found
        alike = HEADER.pack(
            0,
            packet.program,
            packet.version,
            packet.procedure,
            packet.type,
            packet.serial,
            packet.status,
        )[LENGTH_SIZE:]
        body = start + PACKET_MIN
        while data[start + LENGTH_SIZE : body] == alike:
            length = _WORD.unpack_from(data, start)[0]
            end = start + length
            if end > size or length < PACKET_MIN or length > PACKET_MAX:
                break
            found.append(data[body:end])
            start = end
            body = end + PACKET_MIN
        self._pos = start
        if start == size:
            self._data = b""
            self._pos = 0
        return found

    def _begin_payload(self, header: Header, start: bytes, missing: int) -> None:
        """Keep a header and the start of its payload until the rest has arrived."""
        self._header = header
        # A payload that then comes in one piece is that piece, and not copied.
        self._pieces = [start] if start else []
        self._missing = missing
        self._data = b""
        self._pos = 0

    def _resume(self) -> Packet | None:
        """Go on with what an earlier feed left unfinished."""
        if self.error is not None:
            return None
        if self._packet is not None:
            return self._skip_carriers()
        if self._missing or self._header is None:
            return None
        _, program, version, procedure, kind, serial, status = self._header
        payload = b"".join(self._pieces)
        self._header = None
        self._pieces = []
        packet = Packet(program, version, procedure, kind, serial, status, payload)
        if kind in _TYPES_WITH_FDS:
            return self._count_fds(packet)
        return packet

    def _count_fds(self, packet: Packet) -> Packet | None:
        """Take the count of descriptors off the payload; wait for their carriers if there are."""
        payload = packet.payload
        if len(payload) < LENGTH_SIZE:
            self._fail("a packet with descriptors ends before their count", PACKET_MIN)
            return None
        (nfds,) = _WORD.unpack_from(payload)
        if nfds > FDS_MAX:
            self._fail(f"{nfds} descriptors, the limit is {FDS_MAX}", PACKET_MIN)
            return None
        if nfds and not self._fd_passing:
            reason = f"{nfds} descriptors announced on a connection that cannot carry any"
            self._fail(reason, PACKET_MIN)
            return None
        packet.payload = payload[LENGTH_SIZE:]
        packet.nfds = nfds
        if not nfds:
            return packet
        self._packet = packet
        self._carriers = nfds
        return self._skip_carriers()

    def _skip_carriers(self) -> Packet | None:
        """Swallow carrier bytes, whose value means nothing; give the packet after the last one."""
        taken = min(self._carriers, len(self._data) - self._pos)
        self._pos += taken
        self._carriers -= taken
        self.fds_seen += taken
        if self._carriers:
            return None
        packet = self._packet
        self._packet = None
        return packet

    def _check_length(self, length: int) -> None:
        """Fail for a length word that no packet has."""
        if PACKET_MIN <= length <= PACKET_MAX:
            return
        bound = f"at least {PACKET_MIN}" if length < PACKET_MIN else f"at most {PACKET_MAX}"
        reason = f"a packet length of {length}, it must be {bound}"
        word = _WORD.pack(length)
        if word.isascii() and word.decode("ascii").isprintable():
            reason += f" (the text {word.decode('ascii')!r}: is the peer a libvirt daemon?)"
        self._fail(reason, 0)

    def _fail(self, reason: str, offset: int) -> None:
        """Enter the failure state, holding nothing."""
        self.error = FramingError(reason, offset=offset)
        self._data = b""
        self._pos = 0
        self._header = None
        self._pieces = []
        self._missing = 0
        self._packet = None
        self._carriers = 0
