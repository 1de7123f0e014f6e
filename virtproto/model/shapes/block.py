"""What became of calls on disks, as records.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.records.block import BlockInfo, BlockJobInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain_block import DomainGetBlockInfoRet, DomainGetBlockJobInfoRet

__all__ = ["block_info", "block_job_info"]


def block_info(ret: DomainGetBlockInfoRet) -> BlockInfo:
    """Return how large a disk is."""
    return BlockInfo(ret.capacity, ret.allocation, ret.physical)


def block_job_info(ret: DomainGetBlockJobInfoRet) -> BlockJobInfo | None:
    """Return how far a job is, None where the daemon found none."""
    if not ret.found:
        return None
    return BlockJobInfo(member("DomainBlockJobType", ret.type), ret.bandwidth, ret.cur, ret.end)
