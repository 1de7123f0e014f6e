"""What a domain is doing, from the daemon's messages.

Loaded with the first domain: knows records only that cost nothing to load.
"""

from __future__ import annotations

from virtproto.model.records.domain_info import DomainInfo, DomainStateInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain import DomainGetInfoRet, DomainGetStateRet

__all__ = ["domain_info", "domain_state"]


def domain_info(ret: DomainGetInfoRet) -> DomainInfo:
    """Return a domain's summary."""
    return DomainInfo(ret.state, ret.maxMem, ret.memory, ret.nrVirtCpu, ret.cpuTime)


def domain_state(ret: DomainGetStateRet) -> DomainStateInfo:
    """Return a domain's state and the reason for it."""
    return DomainStateInfo(ret.state, ret.reason)
