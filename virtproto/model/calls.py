"""One call's arguments on their way out and its result on its way in.

Responsible for refusing, before anything is sent, what cannot be one plain call. Must not know how
bytes travel.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.wire import PROGRAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from virtproto.xdr.procedure import Procedure

    R = TypeVar("R")

__all__ = [
    "asks_for_fd_passing",
    "check_call",
    "check_plain_call",
    "check_stream_call",
    "fds_wanted",
    "opens_sparse_stream",
    "pack_args",
    "unpack_ret",
]

_REMOTE, _QEMU, _LXC = (PROGRAMS[name] for name in ("remote", "qemu", "lxc"))

# Procedures that make no sense without file descriptors beside the bytes, by (program, number).
_WITH_DESCRIPTORS = frozenset(
    (
        (_REMOTE, 249),  # DOMAIN_OPEN_GRAPHICS
        (_REMOTE, 343),  # DOMAIN_OPEN_GRAPHICS_FD
        (_REMOTE, 443),  # DOMAIN_FD_ASSOCIATE
        (_QEMU, 7),  # DOMAIN_MONITOR_COMMAND_WITH_FILES
        (_LXC, 1),  # DOMAIN_OPEN_NAMESPACE
    )
)
# How many come back, where any do.
_FDS_BACK = {(_REMOTE, 343): 1, (_QEMU, 7): None, (_LXC, 1): None}
_ALWAYS_ASKED = frozenset(((_REMOTE, 249), (_REMOTE, 343), (_REMOTE, 443), (_QEMU, 7)))
# Opens a stream without an annotation that says so.
_TUNNEL = (_REMOTE, 304)  # DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS


def check_plain_call(procedure: Procedure[Any, Any]) -> None:
    """Raise UsageError unless the procedure is one request and one reply, bytes only."""
    try:
        is_event = procedure.is_event
    except AttributeError:
        raise UsageError(
            f"a call takes a procedure of virtproto.wire, not {type(procedure).__name__}"
        ) from None
    if is_event:
        raise UsageError(f"{procedure.name} is an event: the daemon sends it, nobody calls it")
    key = (procedure.program, procedure.number)
    if procedure.read_stream or procedure.write_stream or key == _TUNNEL:
        raise UsageError(f"{procedure.name} opens a stream: call the method that takes one")
    if key in _WITH_DESCRIPTORS:
        raise UsageError(f"{procedure.name} passes file descriptors: call the method that does")


def pack_args(procedure: Procedure[Any, Any], args: Any) -> bytes:
    """Return the arguments of a call as XDR.

    Raises UsageError for a procedure that is no plain call or arguments of another type, and
    EncodeError, with the field, for values that do not fit.
    """
    check_plain_call(procedure)
    wanted = procedure.args
    if wanted is None:
        if args is not None:
            raise UsageError(f"{procedure.name} takes no arguments, not {type(args).__name__}")
        return b""
    if not isinstance(args, wanted):
        raise UsageError(f"{procedure.name} takes a {wanted.__name__}, not {type(args).__name__}")
    packed: bytes = args.pack()
    return packed


def check_call(procedure: Procedure[Any, Any], packed: bytes) -> None:
    """Raise UsageError unless this is a plain call whose arguments are bytes.

    A payload whose ``len`` does not count bytes would put the daemon out of step for good.
    """
    check_plain_call(procedure)
    if not isinstance(packed, bytes):
        raise UsageError(
            f"{procedure.name}: packed arguments are bytes, not {type(packed).__name__}"
        )


def unpack_ret(procedure: Procedure[Any, R], payload: bytes) -> R:
    """Return the result of a call, None for a procedure without one. Raises DecodeError."""
    ret: Any = procedure.ret
    result: Any = ret.unpack(payload) if ret is not None else None
    checked: R = result
    return checked


def check_stream_call(procedure: Procedure[Any, Any]) -> None:
    """Raise UsageError unless the procedure opens a stream."""
    key = (procedure.program, procedure.number)
    if not (procedure.read_stream or procedure.write_stream or key == _TUNNEL):
        raise UsageError(f"{procedure.name} opens no stream")


def opens_sparse_stream(procedure: Procedure[Any, Any], packed: bytes) -> bool:
    """Return whether the call with these arguments opens a stream that can have holes."""
    if procedure.sparse_flag is None:
        return False
    # The flags are the last word of each, and 1 is the one for sparse streams in each.
    return bool(int.from_bytes(packed[-4:], "big") & 1)


def fds_wanted(procedure: Procedure[Any, Any]) -> int | None:
    """Return how many descriptors the reply of a call brings, None for any number."""
    return _FDS_BACK.get((procedure.program, procedure.number), 0)


def asks_for_fd_passing(procedure: Procedure[Any, Any], count: int) -> bool:
    """Return whether the daemon is to be asked first if it passes descriptors.

    ``count`` is how many go. As libvirt's own client asks.
    """
    return count > 0 or (procedure.program, procedure.number) in _ALWAYS_ASKED
