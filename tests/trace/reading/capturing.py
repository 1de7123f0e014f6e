"""Captures made by hand: conversations over TCP, cut, shuffled and lost as a test wants it.

Responsible for frames of every link layer, and for files of both formats. It must not know what
reads them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

from virtproto.protocol.framing import Packet
from virtproto.wire import remote

__all__ = ["Connection", "Sent", "conversation", "frame", "pcap", "pcapng"]

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, SLL, SLL2, RAW, NULL, LOOP, IPV4, IPV6 = 1, 113, 276, 101, 0, 108, 228, 229
LINKS = (ETHERNET, SLL, SLL2, RAW, NULL, LOOP)


@dataclass
class Sent:
    """One segment: who sent it, when, and what."""

    time_s: float
    source: tuple[str, int]
    target: tuple[str, int]
    seq: int
    ack: int
    flags: int
    data: bytes = b""


class Connection:
    """Both ends of one connection, and what they sent, in ``sent``."""

    def __init__(
        self,
        client: tuple[str, int] = ("192.0.2.1", 40001),
        daemon: tuple[str, int] = ("192.0.2.2", 16509),
        *,
        start: tuple[int, int] = (1000, 5000),
        time_s: float = 1_700_000_000.0,
        size: int = 1448,
    ) -> None:
        self.sent: list[Sent] = []
        self._ends = (daemon, client)
        self._next = [start[1], start[0]]
        self._time_s = time_s
        self._size = size

    def open(self) -> Connection:
        """Shake hands."""
        self._add(True, SYN)
        self._next[1] += 1
        self._add(False, SYN | ACK)
        self._next[0] += 1
        self._add(True, ACK)
        return self

    def send(self, from_client: bool, data: bytes) -> Connection:
        """Send data, in segments of the connection's size."""
        for start in range(0, len(data), self._size):
            piece = data[start : start + self._size]
            self._add(from_client, PSH | ACK, piece)
            self._next[from_client] += len(piece)
        return self

    def close(self, flags: int = FIN | ACK) -> Connection:
        """End it, the client first."""
        for from_client in (True, False):
            self._add(from_client, flags)
            self._next[from_client] += 1
        self._add(True, ACK)
        return self

    def _add(self, from_client: bool, flags: int, data: bytes = b"") -> None:
        self._time_s += 0.001
        ack = self._next[not from_client] if flags & ACK else 0
        self.sent.append(
            Sent(
                self._time_s,
                self._ends[from_client],
                self._ends[not from_client],
                self._next[from_client] % (1 << 32),
                ack % (1 << 32),
                flags,
                data,
            )
        )


def conversation(count: int = 8, *, name: str = "web") -> list[tuple[bool, bytes]]:
    """Return so many calls and their replies, each with who sends it."""
    found = []
    for serial in range(count):
        call = remote.DomainLookupByNameArgs(name=f"{name}{serial}" * (1 + serial * 40))
        dom = remote.NonnullDomain(name=call.name, uuid=bytes(16), id=serial)
        reply = remote.DomainLookupByNameRet(dom=dom)
        number = remote.DOMAIN_LOOKUP_BY_NAME.number
        for kind, payload in ((0, call.pack()), (1, reply.pack())):
            packet = Packet(0x20008086, 1, number, kind, serial, 0, payload)
            found.append((kind == 0, packet.pack()))
    return found


def frame(sent: Sent, link: int = ETHERNET) -> bytes:
    """Return a segment as it is captured at a link layer."""
    tcp = struct.pack(
        ">HHIIHHHH",
        sent.source[1],
        sent.target[1],
        sent.seq,
        sent.ack,
        5 << 12 | sent.flags,
        65535,
        0,
        0,
    )
    source, target = ip_address(sent.source[0]).packed, ip_address(sent.target[0]).packed
    body = tcp + sent.data
    if len(source) == 4:
        total = 20 + len(body)
        head = struct.pack(">BBHHHBBH", 0x45, 0, total & 0xFFFF, 7, 0x4000, 64, 6, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(body), 6, 64)
    packet = head + source + target + body
    kind = 0x0800 if len(source) == 4 else 0x86DD
    family = 2 if len(source) == 4 else 30
    before = {
        ETHERNET: bytes(12) + struct.pack(">H", kind),
        SLL: struct.pack(">HHH8sH", 0, 1, 6, bytes(8), kind),
        SLL2: struct.pack(">HHiHBB8s", kind, 0, 1, 1, 0, 6, bytes(8)),
        NULL: struct.pack("<I", family),
        LOOP: struct.pack(">I", family),
    }
    return before.get(link, b"") + packet


def with_vlan(data: bytes, *tags: int) -> bytes:
    """Return an Ethernet frame with VLAN tags in it."""
    between = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return data[:12] + between + data[12:]


def pcap(
    frames: list[tuple[float, bytes]],
    link: int = ETHERNET,
    *,
    order: str = "<",
    nano: bool = False,
    snap: int = 262144,
) -> bytes:
    """Return a pcap file."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for time_s, data in frames:
        second = int(time_s)
        fraction = round((time_s - second) * (1e9 if nano else 1e6))
        kept = data[:snap]
        parts.append(struct.pack(order + "IIII", second, fraction, len(kept), len(data)) + kept)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return one block of a pcapng file."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(
    frames: list[tuple[float, bytes, int]],
    links: tuple[int, ...] = (ETHERNET,),
    *,
    order: str = "<",
    unit: int = 6,
) -> bytes:
    """Return a pcapng file; each frame says by which interface it came, ``unit`` is the last's."""
    parts = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)]
    for number, link in enumerate(links):
        body = struct.pack(order + "HHI", link, 0, 0)
        if number == len(links) - 1:
            body += struct.pack(order + "HHBxxx", 9, 1, unit) + bytes(4)
        parts.append(block(1, body, order))
    for time_s, data, interface in frames:
        fine = unit if interface == len(links) - 1 else 6
        per_second = 2 ** (fine & 127) if fine & 128 else 10**fine
        ticks = round(time_s * per_second)
        head = struct.pack(
            order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)
        )
        parts.append(block(6, head + data, order))
    # Statistics, which nobody needs.
    parts.append(block(5, bytes(12), order))
    return b"".join(parts)


def later(sent: list[Sent], by_s: float) -> list[Sent]:
    """Return segments as if they had been sent later."""
    return [replace(each, time_s=each.time_s + by_s) for each in sent]
