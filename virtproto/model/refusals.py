"""Refusals of this side that stand for the daemon's: the same error, without asking.

Responsible for what libvirt's own client refuses before it sends anything, and the daemon would
refuse as well.
"""

from __future__ import annotations

from virtproto.errors import error_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.errors import LibvirtError

__all__ = ["read_only"]

# virErrorNumber and virErrorDomain of libvirt's own refusal.
_OPERATION_DENIED = 29
_FROM_RPC = 7


def read_only(method: str, concerned: object | None) -> LibvirtError:
    """Return the error for a change that was asked for on a read-only connection."""
    error = error_class(_OPERATION_DENIED)(
        f"{method} changes something, and the connection is read-only",
        code=_OPERATION_DENIED,
        domain=_FROM_RPC,
    )
    error.object = concerned
    return error
