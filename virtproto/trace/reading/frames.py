"""Frames of a capture taken apart, down to what TCP has in them.

Responsible for link layers and addresses, by dpkt. What it cannot take apart is no segment; no
exception of dpkt's leaves this module. Must not know files, or what belongs to which conversation.
"""

from __future__ import annotations

from dpkt.dpkt import UnpackError
from dpkt.ethernet import Ethernet
from dpkt.ip import IP
from dpkt.ip6 import IP6
from dpkt.loopback import Loopback
from dpkt.sll import SLL
from dpkt.sll2 import SLL2
from dpkt.tcp import TCP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Address = tuple[bytes, int]

__all__ = [
    "ACK",
    "FIN",
    "FRAGMENT",
    "LINKS",
    "OTHER",
    "RST",
    "SYN",
    "Segment",
    "segment_of",
    "shown",
]

FIN, SYN, RST, ACK = 1, 2, 4, 16

# What `segment_of` says of a part of an IP packet: these are not put together here.
FRAGMENT = "fragment"
# And of packets of IP that are not TCP's.
OTHER = "other"

_FRAGMENT_HEADER = 44


def _raw(data: bytes) -> Any:
    version = data[0] >> 4
    if version not in (4, 6):
        raise UnpackError(f"version {version}")
    return IP6(data) if version == 6 else IP(data)


# By the number of the link layer (tcpdump.org's list of LINKTYPE_*): what takes a frame apart.
# OpenBSD's loopback is the same as the others' but for its byte order, and dpkt reads either.
LINKS: dict[int, Any] = {
    0: Loopback,
    1: Ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: Loopback,
    113: SLL,
    228: IP,
    229: IP6,
    276: SLL2,
}


class Segment:
    """One segment of TCP: where from and to, its numbers, flags and data.

    ``missing`` counts bytes at the end of its data that were not captured.
    """

    __slots__ = ("ack", "data", "flags", "missing", "seq", "source", "target", "time_s")

    def __init__(
        self,
        source: Address,
        target: Address,
        seq: int,
        ack: int,
        flags: int,
        data: bytes,
        *,
        missing: int = 0,
        time_s: float = 0.0,
    ) -> None:
        self.source = source
        self.target = target
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.data = data
        self.missing = missing
        self.time_s = time_s


def segment_of(link: int, frame: bytes, time_s: float) -> Segment | str | None:
    """Return the segment in a frame of link layer ``link``, which is one of LINKS.

    Return None where there is none, FRAGMENT for a part of an IP packet and OTHER for one that is
    not TCP's.
    """
    try:
        packet = LINKS[link](frame)
        while not isinstance(packet, IP | IP6):
            packet = packet.data
            if isinstance(packet, bytes):
                return None
        return _of_packet(packet, time_s)
    except Exception:
        # dpkt has exceptions of its own, and of Python's, for what is cut off or makes no sense.
        return None


def _of_packet(packet: Any, time_s: float) -> Segment | str | None:
    if isinstance(packet, IP):
        if packet.mf or packet.offset:
            return FRAGMENT
        whole = packet.len - 4 * packet.hl if packet.len else None
    else:
        if _FRAGMENT_HEADER in packet.extension_hdrs:
            return FRAGMENT
        extensions = sum(header.length for header in packet.all_extension_headers)
        whole = packet.plen - extensions if packet.plen else None
    segment = packet.data
    if not isinstance(segment, TCP):
        return OTHER
    missing = 0
    if whole is not None:
        missing = max(whole - 4 * segment.off - len(segment.data), 0)
    return Segment(
        (packet.src, segment.sport),
        (packet.dst, segment.dport),
        segment.seq,
        segment.ack,
        segment.flags,
        bytes(segment.data),
        missing=missing,
        time_s=time_s,
    )


def shown(address: Address) -> str:
    """Return an address as people write it: 192.0.2.1:16509, [2001:db8::1]:16509."""
    from ipaddress import ip_address

    host, port = address
    text = str(ip_address(host))
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
