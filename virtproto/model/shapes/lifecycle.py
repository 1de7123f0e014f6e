"""What starting a domain brings, from the daemon's messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain import DomainCreateWithFilesRet

__all__ = ["started_id"]


def started_id(ret: DomainCreateWithFilesRet) -> int:
    """Return the id of a domain that was started."""
    return ret.dom.id
