"""How a domain, its disks and its clock are, from the daemon's messages.

Loaded with the first domain: records are loaded when there is one to make.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtproto.model.records.domain_condition import (
        DomainControlInfo,
        DomainDiskError,
        DomainTime,
    )
    from virtproto.wire import remote as wire

__all__ = ["control_info", "disk_errors", "guest_time"]


def control_info(ret: wire.DomainGetControlInfoRet) -> DomainControlInfo:
    """Return how the daemon's way to the hypervisor is."""
    from virtproto.constants import member
    from virtproto.model.records.domain_condition import DomainControlInfo

    return DomainControlInfo(
        member("DomainControlState", ret.state),
        member("DomainControlErrorReason", ret.details),
        ret.stateTime,
    )


def disk_errors(errors: Iterable[wire.DomainDiskError]) -> list[DomainDiskError]:
    """Return what went wrong on which disk."""
    from virtproto.constants import member
    from virtproto.model.records.domain_condition import DomainDiskError

    return [DomainDiskError(one.disk, member("DomainDiskErrorCode", one.error)) for one in errors]


def guest_time(ret: wire.DomainGetTimeRet) -> DomainTime:
    """Return what a guest's clock shows."""
    from virtproto.model.records.domain_condition import DomainTime

    return DomainTime(ret.seconds, ret.nseconds)
