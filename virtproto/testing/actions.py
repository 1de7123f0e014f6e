"""What a scripted server can be told to do, as values.

Responsible for: the action classes only. Must not know sockets or sessions; `scripted` carries them
out. A handler returns one of these, a packed result, a message, or a list of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from virtproto.errors import VIR_ERR_RPC
from virtproto.protocol.events import CallReceived

__all__ = [
    "Action",
    "Answer",
    "Handler",
    "Packable",
    "ReplyError",
    "ReplyWithFds",
    "ReplyUnknownProcedure",
    "NoReply",
    "SendEvent",
    "SendPing",
    "SendRaw",
    "OpenStream",
    "SendStreamData",
    "SendStreamHole",
    "SendStreamEnd",
    "FailStream",
    "CloseConnection",
]


class Packable(Protocol):
    """A message of virtproto.wire, or anything else that packs itself."""

    def pack(self) -> bytes:
        """Return the XDR bytes."""


@dataclass(frozen=True)
class ReplyError:
    """Answer with an error; the fields are those of the wire (see LibvirtError)."""

    message: str | None
    code: int = VIR_ERR_RPC
    domain: int = 7
    level: int = 2
    str1: str | None = None
    str2: str | None = None
    str3: str | None = None
    int1: int = -1
    int2: int = -1


@dataclass(frozen=True)
class ReplyWithFds:
    """Answer with a result and descriptors, which stay the handler's own to close.

    ``carried`` are the descriptors that really go, where they are to differ from those announced:
    None in it is a carrier byte without any, a tuple is one with several.
    """

    payload: bytes | Packable
    fds: Sequence[int]
    carried: Sequence[int | tuple[int, ...] | None] | None = None


@dataclass(frozen=True)
class ReplyUnknownProcedure:
    """Answer as a daemon that is older than the procedure."""


@dataclass(frozen=True)
class NoReply:
    """Never answer this call."""


@dataclass(frozen=True)
class SendEvent:
    """Send an event message; ``payload`` is packed bytes or a message."""

    program: int
    procedure: int
    payload: bytes | Packable
    version: int = 1


@dataclass(frozen=True)
class SendPing:
    """Send a keepalive ping; the client's pong shows in the server's ``packets``."""


@dataclass(frozen=True)
class SendRaw:
    """Write these very bytes: garbage, a length word of one's own, half a packet."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class OpenStream:
    """Make the call a stream; to be followed by a result, before or after the first data."""

    sparse: bool = False


@dataclass(frozen=True)
class SendStreamData:
    """Send bytes on the stream of this call."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class SendStreamHole:
    """Send a hole of ``length`` bytes on the stream of this call."""

    length: int


@dataclass(frozen=True)
class SendStreamEnd:
    """Say that the stream of this call has no more data."""


@dataclass(frozen=True)
class FailStream:
    """Send an error on the stream of this call, which ends it."""

    error: ReplyError


@dataclass(frozen=True)
class CloseConnection:
    """Close the connection once everything before is written."""


Action: TypeAlias = (
    bytes
    | Packable
    | ReplyError
    | ReplyWithFds
    | ReplyUnknownProcedure
    | NoReply
    | SendEvent
    | SendPing
    | SendRaw
    | OpenStream
    | SendStreamData
    | SendStreamHole
    | SendStreamEnd
    | FailStream
    | CloseConnection
)

# bytes and messages are the result of the call; None is an empty result.
Answer: TypeAlias = Action | Sequence[Action] | None
Handler: TypeAlias = Answer | Callable[[CallReceived], Answer]
