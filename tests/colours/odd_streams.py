"""What a daemon may wrongly send on a stream, and what becomes of the stream and the connection.

A table for every client: those of both colours, and libvirt's own as their model. It must not know
who is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from virtproto.protocol.events import CallReceived
from virtproto.protocol.framing import pack_packet
from virtproto.protocol.limits import PACKET_MAX
from virtproto.protocol.server import pack_error
from virtproto.testing import OpenStream, SendRaw
from virtproto.testing.actions import Action
from virtproto.wire.rpc import StreamHole

__all__ = ["CASES", "OddStream"]

_REPLY, _STREAM, _HOLE = 1, 3, 6
_OK, _ERROR, _CONTINUE = 0, 1, 2
_FAULT = pack_error("said on purpose", code=38)
_FIVE_BYTES = StreamHole(5, 0).pack()

# Makes one packet of the stream that a call opened.
Packet = Callable[[CallReceived], bytes]


def packet(kind: int, status: int, payload: bytes = b"", *, stray: int = 0) -> Packet:
    """Return a packet of the stream of a call, or of a serial that far from it."""
    return lambda call: pack_packet(
        call.program, call.version, call.procedure, kind, call.serial + stray, status, payload
    )


def data(content: bytes) -> Packet:
    return packet(_STREAM, _CONTINUE, content)


END = data(b"")
ABC = data(b"abc")
CONFIRMED = packet(_STREAM, _OK)
FAILED = packet(_STREAM, _ERROR, _FAULT)


def _too_long(call: CallReceived) -> bytes:
    return (PACKET_MAX + 1).to_bytes(4, "big") + data(b"")(call)[4:]


@dataclass(frozen=True)
class OddStream:
    """What comes on a download, what comes instead of the confirmation of its finish, and then.

    ``heard`` is what reading gives, ``error`` a part of the error of reading or finishing,
    ``survives`` whether the connection can be used afterwards. ``like_libvirt`` is False where
    libvirt's own client hangs, loses the connection or overlooks the error, and this one does not.
    """

    name: str
    packets: tuple[Packet, ...]
    instead: tuple[Packet, ...] = ()
    heard: bytes | None = None
    error: str = ""
    survives: bool = True
    sparse: bool = False
    like_libvirt: bool = field(default=True)

    def actions(self, call: CallReceived) -> list[Action]:
        """Return what a scripted server does when the stream is opened."""
        sent = b"".join(make(call) for make in self.packets)
        return [OpenStream(sparse=True), b"", SendRaw(sent)]


CASES = (
    OddStream("nothing odd", (ABC, END), heard=b"abc"),
    OddStream(
        "a hole on a plain stream", (ABC, packet(_HOLE, _CONTINUE, _FIVE_BYTES)), error="hole"
    ),
    OddStream(
        "a hole of less than nothing",
        (ABC, packet(_HOLE, _CONTINUE, StreamHole(-5, 0).pack())),
        error="a hole of -5 bytes",
        sparse=True,
    ),
    OddStream(
        "half a hole", (packet(_HOLE, _CONTINUE, _FIVE_BYTES[:2]),), error="length", sparse=True
    ),
    OddStream(
        "a hole that says yes",
        (packet(_HOLE, _OK, _FIVE_BYTES),),
        error="confirmation",
        survives=False,
    ),
    *(
        OddStream(f"{what} for no stream", (each, ABC, END), heard=b"abc")
        for what, each in {
            "data": packet(_STREAM, _CONTINUE, b"zz", stray=77),
            "a confirmation": packet(_STREAM, _OK, stray=77),
            "an error": packet(_STREAM, _ERROR, _FAULT, stray=77),
            "a hole": packet(_HOLE, _CONTINUE, _FIVE_BYTES, stray=77),
        }.items()
    ),
    OddStream("an unasked confirmation", (ABC, CONFIRMED), error="confirmation", survives=False),
    OddStream("an odd status", (ABC, packet(_STREAM, 7)), error="status 7", survives=False),
    OddStream("data after the end", (ABC, END, data(b"def"), END), heard=b"abc"),
    OddStream(
        "an error as a reply", (packet(_REPLY, _ERROR, _FAULT),), error="said", like_libvirt=False
    ),
    OddStream("a second reply", (packet(_REPLY, _OK),), error="whose call is answered"),
    OddStream("data after an error", (FAILED, ABC, END), error="said on purpose"),
    OddStream("two errors", (FAILED, FAILED), error="said on purpose"),
    OddStream(
        "an error that is none",
        (packet(_STREAM, _ERROR, b"\xff\xff"),),
        error="code",
        like_libvirt=False,
    ),
    OddStream("more than servers send", (data(b"x" * (4 << 20)), END), heard=b"x" * (4 << 20)),
    OddStream("more than a packet holds", (ABC, _too_long), error="at most", survives=False),
    OddStream("a second confirmation", (ABC, END), (CONFIRMED, CONFIRMED), heard=b"abc"),
    OddStream("an error after the confirmation", (ABC, END), (CONFIRMED, FAILED), heard=b"abc"),
    OddStream("data after the confirmation", (ABC, END), (CONFIRMED, ABC), heard=b"abc"),
    OddStream("data before the confirmation", (ABC, END), (ABC, CONFIRMED), heard=b"abc"),
    OddStream("an error, not a confirmation", (ABC, END), (FAILED,), error="said on purpose"),
    OddStream("a reply, not a confirmation", (ABC, END), (packet(_REPLY, _OK),), error="answered"),
    OddStream(
        "an error as a reply, not a confirmation",
        (ABC, END),
        (packet(_REPLY, _ERROR, _FAULT),),
        error="said on purpose",
        like_libvirt=False,
    ),
    OddStream(
        "an odd status, not a confirmation",
        (ABC, END),
        (packet(_STREAM, 9),),
        error="status 9",
        survives=False,
    ),
)
