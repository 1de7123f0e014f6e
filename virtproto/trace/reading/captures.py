"""Captures read as they come: pcap and pcapng, and the libvirt conversations in them as records.

Responsible for the two formats of files, and for which frame belongs to which connection. What the
frames hold is `frames`' and `reassembly`'s, what the bytes are `captured_conversation`'s. Must not
know files. (dpkt's own readers know the first interface of a pcapng only, and take a damaged length
for one of memory to allocate: hence the blocks are read here, and dpkt knows their numbers.)
"""

from __future__ import annotations

from struct import Struct

from dpkt import pcap, pcapng

from virtproto.errors import RecordingError
from virtproto.trace.reading.connections import Connections
from virtproto.trace.reading.gathering import Gatherer
from virtproto.trace.reading.recordings import LAST_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.recording import Record

__all__ = ["CaptureReader"]

# A frame or block larger than this is damage: libpcap's own limit is 256 KiB.
_MOST = 16 << 20
_MOST_INTERFACES = 65536

_WORDS = {"<": Struct("<II"), ">": Struct(">II")}
_FILE = {order: Struct(order + "IHHiIII") for order in "<>"}
_FRAME = {order: Struct(order + "IIII") for order in "<>"}
_ENHANCED = {order: Struct(order + "IIIII") for order in "<>"}
_OPTION = {order: Struct(order + "HH") for order in "<>"}

# By the first four bytes: order, fraction of a second that times have, and size of a frame's head.
_PCAP = {
    magic.to_bytes(4, name): (order, fraction, size)
    for magic, fraction, size in (
        (pcap.TCPDUMP_MAGIC, 1e-6, 16),
        (pcap.TCPDUMP_MAGIC_NANO, 1e-9, 16),
        (pcap.MODPCAP_MAGIC, 1e-6, 24),
    )
    for order, name in (("<", "little"), (">", "big"))
}
_SECTION = pcapng.PCAPNG_BT_SHB.to_bytes(4, "big")
_ORDERS = {
    pcapng.BYTE_ORDER_MAGIC.to_bytes(4, "little"): "<",
    pcapng.BYTE_ORDER_MAGIC.to_bytes(4, "big"): ">",
}
_BLOCK_MIN = 12

_TOO_SHORT = "its block is too short for what it says that it holds, or its interface is unknown"
_NO_TIME = "its time is beyond all calendars"


class _Interface:
    """Where frames of a pcapng were captured: their link layer, and what their times mean."""

    __slots__ = ("link", "snap", "start_s", "unit_s")

    def __init__(self, link: int, snap: int) -> None:
        self.link = link
        self.snap = snap
        self.unit_s = 1e-6
        self.start_s = 0


class CaptureReader:
    """Turn the bytes of one capture into records.

    It is used as a `recordings.RecordReader`: `feed`, `rest` and `finish`. ``started_s`` is the
    time of the first frame. ``incomplete`` is true if bytes of a libvirt conversation are missing.
    """

    def __init__(self) -> None:
        self.error: RecordingError | None = None
        self.started_s = 0.0
        self.frames = 0
        self._bytes = Gatherer(_BLOCK_MIN)
        self._connections = Connections()
        self._began = False
        # Of a pcap: the order, the unit of its times, the size of a frame's head, the link layer.
        self._plain: tuple[str, float, int, int] | None = None
        # Of a pcapng: the order of this section, and its interfaces.
        self._order: str | None = None
        self._interfaces: list[_Interface] = []

    @property
    def offset(self) -> int:
        """Where the next frame or block begins."""
        return self._bytes.offset

    @property
    def count(self) -> int:
        """How many packets of libvirt's were found."""
        return self._connections.packets

    @property
    def incomplete(self) -> bool:
        """Whether bytes of a libvirt conversation are missing, or make no sense."""
        return self._connections.incomplete

    def feed(self, data: bytes) -> list[Record]:
        """Take bytes, of any number, and return the records that they complete; never raise."""
        records: list[Record] = []
        if self.error is not None:
            return records
        whole = self._bytes.add(data)
        while whole is not None and self.error is None:
            position = 0
            while (used := self._one(whole, position, records)) > 0:
                position += used
            self._bytes.use(position, -used)
            whole = self._bytes.add(b"") if not self.error else None
        return records

    def rest(self) -> list[Record]:
        """Return what was held back, waiting for what does not come any more: the bytes end."""
        return self._connections.finish()

    def finish(self) -> RecordingError | None:
        """Return what was wrong up to the end of the bytes, which is here, after `rest`."""
        if self.error is None and self._bytes.held:
            held = self._bytes.held
            self._fail(f"the capture is cut off within a frame, of which {held} bytes are there")
        if self.error is None and not self._connections.packets:
            self.error = RecordingError(self._connections.nothing_found())
        return self.error

    def _one(self, data: bytes, position: int, records: list[Record]) -> int:
        """Read what begins at ``position``; return its size, or less than 0: how much it takes."""
        left = len(data) - position
        if left < self._smallest():
            return -self._smallest()
        if self._plain is None and self._order is None and data[:4] in _PCAP:
            return self._read_head(data, left)
        if self._plain is not None:
            return self._read_frame(data, position, left, records)
        return self._read_block(data, position, left, records)

    def _smallest(self) -> int:
        return self._plain[2] if self._plain is not None else _BLOCK_MIN

    def _read_head(self, data: bytes, left: int) -> int:
        order, unit_s, size = _PCAP[data[:4]]
        head = _FILE[order]
        if left < head.size:
            return -head.size
        _, major, minor, _, _, _, link = head.unpack_from(data)
        if major != pcap.PCAP_VERSION_MAJOR:
            return self._fail(f"the capture is of version {major}.{minor}, 2.4 is known")
        # The upper half tells of checksums at the ends of frames.
        self._plain = order, unit_s, size, link & 0xFFFF
        return head.size

    def _read_frame(self, data: bytes, position: int, left: int, records: list[Record]) -> int:
        assert self._plain is not None
        order, unit_s, size, link = self._plain
        seconds, fraction, kept, _ = _FRAME[order].unpack_from(data, position)
        if kept > _MOST:
            return self._damaged(position, f"it says that it has {kept} bytes")
        if left < size + kept:
            return -(size + int(kept))
        frame = data[position + size : position + size + kept]
        if not self._take_frame(link, frame, seconds + fraction * unit_s, records):
            return self._damaged(position, _NO_TIME)
        return size + int(kept)

    def _read_block(self, data: bytes, position: int, left: int, records: list[Record]) -> int:
        kind = data[position : position + 4]
        if kind == _SECTION:
            order = _ORDERS.get(data[position + 8 : position + 12])
            if order is None:
                return self._damaged(position, "its section begins in no order of bytes")
            self._order = order
            self._interfaces = []
        elif self._order is None:
            return self._fail("this is no capture: it does not begin as one", position)
        order = self._order
        number, size = _WORDS[order].unpack_from(data, position)
        if size < _BLOCK_MIN or size % 4 or size > _MOST:
            return self._damaged(position, f"its block says that it has {size} bytes")
        if left < size:
            return -int(size)
        body = data[position + 8 : position + size - 4]
        if data[position + size - 4 : position + size] != data[position + 4 : position + 8]:
            return self._damaged(position, "its block has two sizes")
        fault = self._understand(number, body, order, records)
        return int(size) if fault is None else self._damaged(position, fault)

    def _understand(
        self, number: int, body: bytes, order: str, records: list[Record]
    ) -> str | None:
        """Take up one block; return what is wrong with it."""
        if number == pcapng.PCAPNG_BT_IDB:
            return self._add_interface(body, order)
        if number == pcapng.PCAPNG_BT_SPB:
            if len(body) < 4 or not self._interfaces:
                return _TOO_SHORT
            kept = int.from_bytes(body[:4], "little" if order == "<" else "big")
            snap = self._interfaces[0].snap or kept
            frame = body[4 : 4 + min(kept, snap)]
            # These have no time: they are as late as what was before them.
            self._take_frame(self._interfaces[0].link, frame, self._connections.last_s, records)
            return None
        if number not in (pcapng.PCAPNG_BT_EPB, pcapng.PCAPNG_BT_PB):
            return None
        head = _ENHANCED[order]
        if len(body) < head.size:
            return _TOO_SHORT
        index, high, low, kept, _ = head.unpack_from(body)
        if number == pcapng.PCAPNG_BT_PB:
            index = _OPTION[order].unpack_from(body)[0]
        if index >= len(self._interfaces) or kept > len(body) - head.size:
            return _TOO_SHORT
        interface = self._interfaces[index]
        time_s = interface.start_s + ((high << 32) | low) * interface.unit_s
        frame = body[head.size : head.size + kept]
        return None if self._take_frame(interface.link, frame, time_s, records) else _NO_TIME

    def _add_interface(self, body: bytes, order: str) -> str | None:
        if len(body) < 8:
            return _TOO_SHORT
        if len(self._interfaces) >= _MOST_INTERFACES:
            return f"it has more than {_MOST_INTERFACES} interfaces"
        link, _ = _OPTION[order].unpack_from(body)
        interface = _Interface(link, _WORDS[order].unpack_from(body)[1])
        position = 8
        while len(body) - position >= 4:
            code, size = _OPTION[order].unpack_from(body, position)
            value = body[position + 4 : position + 4 + size]
            if code == pcapng.PCAPNG_OPT_ENDOFOPT:
                break
            if code == pcapng.PCAPNG_OPT_IF_TSRESOL and len(value) == 1:
                base, power = (2.0, value[0] & 127) if value[0] & 128 else (10.0, value[0])
                interface.unit_s = base**-power
            elif code == pcapng.PCAPNG_OPT_IF_TSOFFSET and len(value) == 8:
                name = "little" if order == "<" else "big"
                interface.start_s = int.from_bytes(value, name, signed=True)  # type: ignore[arg-type]
            position += 4 + (size + 3) // 4 * 4
        self._interfaces.append(interface)
        return None

    def _take_frame(self, link: int, frame: bytes, time_s: float, records: list[Record]) -> bool:
        """Take one frame; return whether its time is one."""
        if not 0 <= time_s < LAST_S:
            return False
        self.frames += 1
        if not self._began:
            self._began = True
            self.started_s = time_s
            self._connections.started_s = time_s
        records += self._connections.add(link, frame, time_s)
        return True

    def _damaged(self, place: int, how: str) -> int:
        return self._fail(f"frame {self.frames + 1} is damaged: {how}", place)

    def _fail(self, reason: str, place: int = 0) -> int:
        self.error = RecordingError(reason, offset=self.offset + place)
        return -1
