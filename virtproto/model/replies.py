"""What came of a call: its payload, or the exception that says why there is none.

Responsible for the daemon's errors as exceptions and for the words of errors that both front ends
raise. Must not know how the reply arrived.
"""

from __future__ import annotations

from virtproto.errors import (
    VIR_ERR_NO_SUPPORT,
    VIR_ERR_RPC,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    UnknownProcedureError,
    error_class,
)
from virtproto.protocol.events import ReplyReceived
from virtproto.wire.rpc import MESSAGE_STATUS_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.protocol.events import CallFailed
    from virtproto.xdr.procedure import Procedure

__all__ = [
    "CLOSED_BY_DAEMON",
    "CLOSED_HERE",
    "CLOSE_TIMEOUT_S",
    "INHERITED",
    "close_reason",
    "closed_during",
    "error_from_payload",
    "late",
    "lost",
    "payload_of",
    "refused",
    "repeated",
    "torn",
    "unclosed",
    "why_broken",
]

# How long a connection that is being closed waits for the daemon to agree.
CLOSE_TIMEOUT_S = 2.0

# The reason, for `refused`, why a connection that its user closed makes no calls.
CLOSED_HERE = "it was closed"
# The same for a connection that the daemon ended.
CLOSED_BY_DAEMON = "the daemon closed it"
# The same for a connection that a forked process has of its parent's.
INHERITED = "it is the parent process's, and a connection does not survive fork"

_LEVEL_ERROR = 2
# virErrorDomain of the two layers that speak of unknown procedures: VIR_FROM_RPC, VIR_FROM_REMOTE.
_RPC_DOMAINS = (7, 13)


def payload_of(procedure: Procedure[Any, Any], reply: ReplyReceived | CallFailed) -> bytes:
    """Return the payload of a good reply.

    Raises the LibvirtError that the daemon sent, ProtocolError for a reply that makes no sense and
    DecodeError for an error that cannot be read. Only this call is affected.
    """
    if not isinstance(reply, ReplyReceived):
        raise reply.error
    if reply.status == MESSAGE_STATUS_OK:
        return reply.payload
    raise error_from_payload(procedure, reply.payload)


def error_from_payload(procedure: Procedure[Any, Any], payload: bytes) -> LibvirtError:
    """Return the exception for an error struct; also for code 0, which is a failure all the same.

    Raises DecodeError. Sources: virNetMessageError, virNetClientProgramDispatchError.
    """
    from virtproto.wire.rpc import MessageError

    wire = MessageError.unpack(payload)
    code = wire.code
    kind = error_class(code)
    text = wire.message
    since = None
    if (
        code == VIR_ERR_RPC
        and wire.domain in _RPC_DOMAINS
        and wire.level == _LEVEL_ERROR
        and (wire.message or "").startswith("unknown procedure")
    ):
        # The only sign there is; libvirt's own client goes by it too.
        code, kind = VIR_ERR_NO_SUPPORT, UnknownProcedureError
        # Loaded for this alone.
        from virtproto.model.releases import first_release

        since = first_release(procedure)
        text = f"{procedure.name} is not known to this daemon" + (
            _since_when(since) if since else f" ({wire.message})"
        )
    error = kind(
        text,
        code=code,
        domain=wire.domain,
        level=wire.level,
        str1=wire.str1,
        str2=wire.str2,
        str3=wire.str3,
        int1=wire.int1,
        int2=wire.int2,
        procedure=procedure.name,
    )
    error.message = wire.message
    if isinstance(error, UnknownProcedureError):
        error.since = since
    return error


def _since_when(since: str) -> str:
    if since.startswith("<="):
        # The oldest release that was looked at has it already: a bound, not the first one.
        return f"; it came with libvirt {since[2:]} or earlier"
    return f"; it takes libvirt {since} or later"


def late(procedure: Procedure[Any, Any], timeout_s: float | None) -> DeadlineError:
    """Return the error for a call that was not answered in time."""
    if timeout_s is None:
        return DeadlineError(f"{procedure.name}: no answer in time")
    return DeadlineError(f"{procedure.name}: no answer within {timeout_s:g} s")


def lost(
    procedure: Procedure[Any, Any] | None, why: str, bytes_held: int = 0
) -> ConnectionLostError:
    """Return the error for a call during which the connection ended; None is for between calls.

    ``bytes_held`` is how much of an unfinished packet had arrived.
    """
    cut = f" ({bytes_held} bytes of an unfinished packet had arrived)" if bytes_held else ""
    during = f"{procedure.name}: " if procedure is not None else ""
    return ConnectionLostError(f"{during}the connection ended, {why}{cut}")


def refused(why: str) -> ConnectionClosedError:
    """Return the error for a call that a closed connection cannot make; ``why`` it is closed."""
    return ConnectionClosedError(f"no call can be made on this connection: {why}")


def closed_during(procedure: Procedure[Any, Any] | None) -> ConnectionClosedError:
    """Return the error for who waited while the connection was closed on this side.

    ``procedure`` is the call's, or the one that opened the stream.
    """
    during = f" during {procedure.name}" if procedure is not None else ""
    return ConnectionClosedError(f"the connection was closed{during}")


def close_reason(why: str, error: VirtprotoError | None) -> int:
    """Return why a connection ended, as a number of virConnectCloseReason."""
    if why is CLOSED_HERE:
        return 3
    if why == CLOSED_BY_DAEMON:
        return 1
    # The core's own word for pings that nobody answered.
    return 2 if isinstance(error, ConnectionLostError) else 0


def torn(procedure: Procedure[Any, Any] | None) -> ConnectionLostError:
    """Return the error for a stream whose data a signal handler's exception may have lost."""
    name = f"{procedure.name}: " if procedure is not None else ""
    return ConnectionLostError(f"{name}a signal came while data was taken in, some may be lost")


def unclosed(path: str) -> str:
    """Return the warning about a connection that was forgotten without closing it."""
    return f"a connection to {path} was never closed"


def why_broken(error: OSError) -> str:
    """Return the reason for a connection that failed with ``error``, in words for `lost`."""
    if isinstance(error, BrokenPipeError | ConnectionResetError):
        return CLOSED_BY_DAEMON
    return f"it broke: {error.strerror or error}"


def repeated(error: VirtprotoError) -> VirtprotoError:
    """Return an equal exception for one more caller: a raised one carries its own traceback."""
    make, parts = error.__reduce__()
    copy: VirtprotoError = make(*parts)
    return copy
