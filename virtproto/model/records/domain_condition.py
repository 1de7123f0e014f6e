"""Records on how a domain is: its hypervisor, its disks, the clock of its guest."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import (
        DomainControlErrorReason,
        DomainControlState,
        DomainDiskErrorCode,
    )

__all__ = ["DomainControlInfo", "DomainDiskError", "DomainTime"]


class DomainControlInfo(NamedTuple):
    """Whether the hypervisor can be asked about a domain (virDomainControlInfo).

    ``state`` is a ``DomainControlState``; ``details`` says more where that is an error, a
    ``DomainControlErrorReason``; ``state_time_ms`` is for how many milliseconds it has been so
    (0 while all is well). Numbers that have no name yet are plain ints.
    """

    state: DomainControlState | int
    details: DomainControlErrorReason | int
    state_time_ms: int


class DomainDiskError(NamedTuple):
    """An error that a domain's hypervisor met on a disk (virDomainDiskError).

    ``disk`` is the disk's name in the guest ("vda"), ``error`` a ``DomainDiskErrorCode``, or a
    plain int that has no name yet.
    """

    disk: str
    error: DomainDiskErrorCode | int


class DomainTime(NamedTuple):
    """What a guest's clock shows: ``seconds`` since 1970 in UTC and ``nanoseconds`` beyond them."""

    seconds: int
    nanoseconds: int
