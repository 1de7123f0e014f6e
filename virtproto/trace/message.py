"""One message of a conversation, and where it stands in it.

Responsible for the value alone: what follows conversations makes it (`following`), what explains
payloads and prints reads it. Must not know how it was overheard.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.protocol.framing import Packet

__all__ = [
    "ABORT",
    "CALL",
    "DATA",
    "END",
    "EVENT",
    "FINISH",
    "HOLE",
    "PING",
    "PONG",
    "REPLY",
    "UNKNOWN",
    "TracedMessage",
]

# What a message is to its conversation. DATA, END (no more data), HOLE, FINISH and ABORT are a
# stream's; UNKNOWN is one of a type or status that the protocol does not have.
CALL = "call"
REPLY = "reply"
EVENT = "event"
DATA = "data"
END = "end"
HOLE = "hole"
FINISH = "finish"
ABORT = "abort"
PING = "ping"
PONG = "pong"
UNKNOWN = "unknown"


class TracedMessage:
    """A packet of ``conversation`` (they count from 1), and what it is there.

    ``number`` is its place in the conversation, from 1; ``time_s`` is when its last byte passed, in
    seconds since the epoch; ``offset`` is where it begins among the bytes of its direction.

    ``kind`` is one of this module's constants. ``program`` and ``procedure`` are the contract's
    names, None where it has none for the packet's numbers. ``type_name`` is the contract's type of
    the payload, None where it is not known or there is none. ``call`` is the call that a reply or a
    stream's message belongs to, None where none was seen; ``latency_s`` is the time since then, of
    a reply. ``in_flight`` is how many calls are without an answer once this has passed.

    ``left_out`` counts bytes of the payload that were not kept, all of them behind those that were.
    ``masked`` tells that secrets in the payload were overwritten when it was recorded. ``oddity``
    says what the protocol does not foresee, None where nothing is odd.
    """

    __slots__ = (
        "call",
        "conversation",
        "from_client",
        "in_flight",
        "kind",
        "latency_s",
        "left_out",
        "masked",
        "number",
        "oddity",
        "offset",
        "packet",
        "procedure",
        "program",
        "time_s",
        "type_name",
    )

    def __init__(
        self,
        packet: Packet,
        *,
        conversation: int,
        number: int,
        from_client: bool,
        time_s: float,
        kind: str,
        offset: int = 0,
        program: str | None = None,
        procedure: str | None = None,
        type_name: str | None = None,
        call: TracedMessage | None = None,
        latency_s: float | None = None,
        in_flight: int = 0,
        left_out: int = 0,
        masked: bool = False,
        oddity: str | None = None,
    ) -> None:
        self.packet = packet
        self.conversation = conversation
        self.number = number
        self.from_client = from_client
        self.time_s = time_s
        self.kind = kind
        self.offset = offset
        self.program = program
        self.procedure = procedure
        self.type_name = type_name
        self.call = call
        self.latency_s = latency_s
        self.in_flight = in_flight
        self.left_out = left_out
        self.masked = masked
        self.oddity = oddity

    @property
    def head_size(self) -> int:
        """Bytes of the packet in front of its payload: where offsets in that count from."""
        from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MIN

        return PACKET_MIN + (0 if self.packet.nfds is None else LENGTH_SIZE)

    @property
    def size(self) -> int:
        """Bytes of the packet, length word and count of descriptors included, descriptors not."""
        return self.head_size + len(self.packet.payload) + self.left_out

    def __repr__(self) -> str:
        # Payloads may hold passwords.
        name = self.procedure or self.packet.procedure
        return f"<TracedMessage {self.conversation}/{self.number} {self.kind} {name}>"
