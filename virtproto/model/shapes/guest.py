"""What a guest's agent told, as records.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

from virtproto.model.records.guest import FilesystemInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain_guest import DomainGetFsinfoRet

__all__ = ["filesystems"]


def filesystems(ret: DomainGetFsinfoRet) -> list[FilesystemInfo]:
    """Return the mounted file systems, in the daemon's order."""
    return [
        FilesystemInfo(each.mountpoint, each.name, each.fstype, each.dev_aliases)
        for each in ret.info
    ]
