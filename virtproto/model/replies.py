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
    FramingError,
    LibvirtError,
    ProtocolError,
    UnknownProcedureError,
    error_class,
)
from virtproto.model.refs import shown_seconds
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
    "ended_on_the_way",
    "closed_during",
    "error_from_payload",
    "late",
    "late_for_return",
    "late_for_turn",
    "lost",
    "lost_by",
    "lost_for_good",
    "payload_of",
    "refused",
    "repeated",
    "silent",
    "torn",
    "unclosed",
    "unsent",
    "unwelcome",
    "why_broken",
]

# How long a connection that is being closed waits for the daemon to agree.
CLOSE_TIMEOUT_S = 2.0

# The reason, for `refused`, why a connection that its user closed makes no calls.
CLOSED_HERE = "it was closed"
# The same for a connection that the daemon ended.
CLOSED_BY_DAEMON = "the daemon closed it"
# What stands between the name of what led to the daemon and its own words, where that ended.
_ON_THE_WAY = " ended on the way: "
# The same for a connection that a forked process has of its parent's.
INHERITED = "it is the parent process's, and a connection does not survive fork"

# What became of a call that the connection's end overtook, by whether it may have run.
_WHAT_RAN = ("nothing of the call was sent", "the call may have run, and was not made again")

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


def late(
    procedure: Procedure[Any, Any] | None, timeout_s: float | None, *, held_by: int | None = None
) -> DeadlineError:
    """Return the error for a call that was not answered in time.

    ``procedure`` is None for who waits for something else. ``held_by`` is how many long calls the
    daemon may have at a time, for a call that was never sent because there were as many.
    """
    # Time may have been over before the wait began.
    within = _within(timeout_s) if timeout_s is not None and timeout_s > 0 else "in time"
    unsent = ""
    if held_by is not None:
        unsent = (
            f"; it was never sent, as {held_by} long calls were under way all the time (open's "
            "long_calls)"
        )
    if procedure is None:
        return DeadlineError(f"nothing came {within}")
    return DeadlineError(f"{procedure.name}: no answer {within}{unsent}")


def unsent(procedure: Procedure[Any, Any], timeout_s: float | None) -> DeadlineError:
    """Return the error for a call whose time ended before anything of it was sent."""
    if timeout_s is None or timeout_s <= 0:
        return DeadlineError(f"{procedure.name}: no time was left for it, so nothing was sent")
    return DeadlineError(
        f"{procedure.name}: nothing of it could be sent {_within(timeout_s)}, as the connection "
        "was busy with other calls or the daemon takes nothing in"
    )


def silent(name: str, error: DeadlineError, said: str | None) -> DeadlineError:
    """Return the error for a connection that could not be opened, as a call had no answer.

    ``said`` is what was heard on the way there, such as ssh's own words, None for nothing.
    """
    heard = f"; so far was said on the way there: {said}" if said else ""
    return DeadlineError(f"the daemon behind {name} does not answer ({error}){heard}")


def ended_on_the_way(by: str, said: str, why: str) -> str:
    """Return why a connection ended at which ``by``, which led there, said something.

    ``why`` it ended as it looks from here: what ends on the way looks as if the daemon ended it.
    """
    return f"{by}{_ON_THE_WAY}{said}" if why == CLOSED_BY_DAEMON else f"{why} ({said})"


def unwelcome(
    name: str, error: ConnectionClosedError | ConnectionLostError | ProtocolError
) -> VirtprotoError | None:
    """Return the error, of the same kind, for who was opening when the connection ended by one.

    None for a fault in an answer: where in it that is says more.
    """
    why = (
        f"{name} let nobody in: {error}; see that a daemon of libvirt listens there, by this "
        "transport, and what its log says"
    )
    if isinstance(error, ProtocolError):
        return FramingError(why) if isinstance(error, FramingError) else None
    return type(error)(why, may_have_run=error.may_have_run)


def _within(timeout_s: float) -> str:
    return f"within {shown_seconds(timeout_s)} s"


def lost(
    procedure: Procedure[Any, Any] | None,
    why: str,
    bytes_held: int = 0,
    *,
    may_have_run: bool | None = None,
) -> ConnectionLostError:
    """Return the error for a call during which the connection ended; None is for between calls.

    ``bytes_held`` is how much of an unfinished packet had arrived. ``may_have_run`` is whether any
    of the call may have reached the daemon; without it, it may.
    """
    cut = f" ({bytes_held} bytes of an unfinished packet had arrived)" if bytes_held else ""
    if procedure is None:
        return ConnectionLostError(f"the connection ended, {why}{cut}")
    if may_have_run is None:
        may_have_run = True
    return ConnectionLostError(
        f"{procedure.name}: the connection ended, {why}{cut}; {_WHAT_RAN[may_have_run]}",
        may_have_run=may_have_run,
    )


def lost_by(
    procedure: Procedure[Any, Any], error: VirtprotoError, *, may_have_run: bool = True
) -> VirtprotoError:
    """Return the error for a call under way when the core ended the connection with ``error``.

    Where nothing of the call was sent, that the connection ended is all that matters to it.
    """
    if may_have_run and not isinstance(error, ConnectionLostError):
        return repeated(error)
    return lost(procedure, f"it failed: {error}", may_have_run=may_have_run)


def refused(why: str) -> ConnectionClosedError:
    """Return the error for a call that a closed connection cannot make; ``why`` it is closed."""
    return ConnectionClosedError(f"no call can be made on this connection: {why}")


def lost_for_good(why: str, failure: Exception) -> ConnectionLostError:
    """Return the error for a call that waited for the connection to be back, which it will not be.

    ``why`` it ended, and ``failure``, the last one of the attempts to open it anew.
    """
    error = ConnectionLostError(
        f"no call can be made on this connection: it ended, {why}, and could not be opened anew: "
        f"{failure}",
        may_have_run=False,
    )
    error.__cause__ = failure
    return error


def late_for_return(
    procedure: Procedure[Any, Any], timeout_s: float | None, failure: Exception | None
) -> DeadlineError:
    """Return the error for a call whose time ended before the connection was back.

    ``failure`` is that of the last attempt to open it anew, if there was one.
    """
    within = "in time" if timeout_s is None else _within(timeout_s)
    last = f" (last failure: {failure})" if failure is not None else ""
    error = DeadlineError(
        f"{procedure.name}: the connection was lost and not back {within}{last}; nothing was sent"
    )
    error.__cause__ = failure
    return error


def late_for_turn(timeout_s: float | None) -> DeadlineError:
    """Return the error for a change of what is heard whose time ended before it was its turn."""
    within = _within(timeout_s) if timeout_s is not None and timeout_s > 0 else "in time"
    return DeadlineError(
        f"what the daemon sends could not be changed {within}, as another change of it was under "
        "way; nothing was sent"
    )


def closed_during(procedure: Procedure[Any, Any] | None) -> ConnectionClosedError:
    """Return the error for who waited while the connection was closed on this side.

    ``procedure`` is the call's, or the one that opened the stream.
    """
    during = f" during {procedure.name}" if procedure is not None else ""
    return ConnectionClosedError(
        f"the connection was closed{during}", may_have_run=procedure is not None
    )


def close_reason(why: str, error: VirtprotoError | None) -> int:
    """Return why a connection ended, as a number of virConnectCloseReason."""
    if why is CLOSED_HERE:
        return 3
    if why.startswith(CLOSED_BY_DAEMON) or _ON_THE_WAY in why:
        return 1
    # The core's own word for pings that nobody answered.
    return 2 if isinstance(error, ConnectionLostError) else 0


def torn(procedure: Procedure[Any, Any] | None) -> ConnectionLostError:
    """Return the error for a stream whose data a signal handler's exception may have lost."""
    name = f"{procedure.name}: " if procedure is not None else ""
    return ConnectionLostError(f"{name}a signal came while data was taken in, some may be lost")


def unclosed(name: str) -> str:
    """Return the warning about a connection that was forgotten without closing it."""
    return f"a connection to {name} was never closed"


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
