"""What a session reports to its front end.

Responsible for: the event classes only. Must not know how they come about. Payloads are the raw
bytes behind the header: whoever asked decodes them.
"""

# ruff: noqa: RUF023 - slots stand in the order of the arguments, which repr shows

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.errors import ProtocolError, VirtprotoError

__all__ = [
    "Event",
    "ReplyReceived",
    "CallFailed",
    "FdsUnclaimed",
    "EventReceived",
    "StreamDataReceived",
    "StreamHoleReceived",
    "StreamEnded",
    "StreamFinished",
    "StreamFailed",
    "SessionFailed",
    "PeerClosed",
    "CallReceived",
    "StreamFinishAsked",
    "StreamAbortAsked",
]


class Event:
    """Root of all events; two are equal when class and fields are."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = []
        for name in self.__slots__:
            value = getattr(self, name)
            # Payloads may hold passwords or a disk's content: only their size is shown.
            shown = f"<{len(value)} bytes>" if isinstance(value, bytes) else repr(value)
            fields.append(f"{name}={shown}")
        return f"{type(self).__name__}({', '.join(fields)})"


class ReplyReceived(Event):
    """The answer to the call ``serial``.

    ``status`` is 0 (OK: ``payload`` is the result) or 1 (ERROR: ``payload`` is the error struct);
    ``nfds`` descriptors came with it. For a call that opens a stream, status 0 opens it.
    """

    __slots__ = ("serial", "status", "payload", "nfds")

    def __init__(self, serial: int, status: int, payload: bytes, nfds: int = 0) -> None:
        self.serial = serial
        self.status = status
        self.payload = payload
        self.nfds = nfds


class CallFailed(Event):
    """The answer to the call ``serial`` made no sense; only this call is affected."""

    __slots__ = ("serial", "error")

    def __init__(self, serial: int, error: VirtprotoError) -> None:
        self.serial = serial
        self.error = error


class FdsUnclaimed(Event):
    """``nfds`` descriptors came with a packet that nobody waits for; the front end closes them."""

    __slots__ = ("nfds",)

    def __init__(self, nfds: int) -> None:
        self.nfds = nfds


class EventReceived(Event):
    """An event message of a known program.

    A procedure that the front end does not know (a newer daemon's), or a payload that does not
    decode, is to be ignored.
    """

    __slots__ = ("program", "procedure", "payload")

    def __init__(self, program: int, procedure: int, payload: bytes) -> None:
        self.program = program
        self.procedure = procedure
        self.payload = payload


class StreamDataReceived(Event):
    """Bytes of the stream ``serial``; on a client they may come before the ReplyReceived."""

    __slots__ = ("serial", "data")

    def __init__(self, serial: int, data: bytes) -> None:
        self.serial = serial
        self.data = data


class StreamHoleReceived(Event):
    """A hole of ``length`` bytes (s64, as it came) in the sparse stream ``serial``."""

    __slots__ = ("serial", "length", "flags")

    def __init__(self, serial: int, length: int, flags: int = 0) -> None:
        self.serial = serial
        self.length = length
        self.flags = flags


class StreamEnded(Event):
    """The daemon has no more data for the stream ``serial``; it is still to be finished."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


class StreamFinished(Event):
    """The finish or abort of the stream ``serial`` is confirmed; the stream is gone."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


class StreamFailed(Event):
    """The stream ``serial`` is dead; ``payload`` is the error struct. Nothing can be sent on it.

    ``error`` is set instead where the daemon sent something that no stream can have.
    """

    __slots__ = ("serial", "payload", "error")

    def __init__(self, serial: int, payload: bytes, error: ProtocolError | None = None) -> None:
        self.serial = serial
        self.payload = payload
        self.error = error


class SessionFailed(Event):
    """The conversation cannot go on; the front end closes the connection.

    ``error`` is a ProtocolError for what the peer wrote, or a ConnectionLostError when it did not
    answer the keepalive pings (libvirt's close reason KEEPALIVE).
    """

    __slots__ = ("error",)

    def __init__(self, error: VirtprotoError) -> None:
        self.error = error


class PeerClosed(Event):
    """The peer closed the connection; ``bytes_held`` of an unfinished packet had arrived."""

    __slots__ = ("bytes_held",)

    def __init__(self, bytes_held: int = 0) -> None:
        self.bytes_held = bytes_held


class CallReceived(Event):
    """A call from a client, on a server: it is answered by passing this very object back.

    ``payload`` is the arguments; ``nfds`` descriptors came with it. Serials are the client's
    affair and need not be unique.
    """

    __slots__ = ("serial", "program", "version", "procedure", "payload", "nfds")

    def __init__(
        self,
        serial: int,
        program: int,
        version: int,
        procedure: int,
        payload: bytes = b"",
        nfds: int = 0,
    ) -> None:
        self.serial = serial
        self.program = program
        self.version = version
        self.procedure = procedure
        self.payload = payload
        self.nfds = nfds


class StreamFinishAsked(Event):
    """The client finished the stream ``serial``; the server confirms or sends an error."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial


class StreamAbortAsked(Event):
    """The client aborted the stream ``serial``; the server confirms or sends an error."""

    __slots__ = ("serial",)

    def __init__(self, serial: int) -> None:
        self.serial = serial
