"""What the daemon told of a domain's job, as values.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.records.domain_job import DomainJobInfo
from virtproto.model.typedvalues import from_params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import DomainJobType
    from virtproto.model.typedvalues import ParamValue
    from virtproto.wire.remote.domain_job import DomainGetJobInfoRet, DomainGetJobStatsRet

__all__ = ["job_info", "job_stats"]


def job_info(ret: DomainGetJobInfoRet) -> DomainJobInfo:
    """Return how far a job is, in the fields that every daemon has."""
    return DomainJobInfo(
        member("DomainJobType", ret.type),
        ret.timeElapsed,
        ret.timeRemaining,
        ret.dataTotal,
        ret.dataProcessed,
        ret.dataRemaining,
        ret.memTotal,
        ret.memProcessed,
        ret.memRemaining,
        ret.fileTotal,
        ret.fileProcessed,
        ret.fileRemaining,
    )


def job_stats(ret: DomainGetJobStatsRet) -> tuple[DomainJobType | int, dict[str, ParamValue]]:
    """Return the type of a job and its statistics by name."""
    return member("DomainJobType", ret.type), from_params(ret.params)
