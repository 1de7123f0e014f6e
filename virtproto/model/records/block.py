"""What the calls on a domain's disks return.

Knows no message class; shapes fill these.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import DomainBlockJobType

__all__ = ["BlockInfo", "BlockJobInfo"]


class BlockInfo(NamedTuple):
    """How large a disk is (virDomainBlockInfo).

    ``capacity_bytes`` is what the guest sees; ``allocation_bytes`` how much of the image is in use,
    for an image on a block device the highest place written; ``physical_bytes`` what the image
    takes where it is stored.
    """

    capacity_bytes: int
    allocation_bytes: int
    physical_bytes: int


class BlockJobInfo(NamedTuple):
    """How far the job on a disk has come (virDomainBlockJobInfo).

    ``type`` is a DomainBlockJobType, or a plain number that this release does not know.
    ``bandwidth`` is the limit that was set, 0 for none, in MiB/s, or in bytes/s if the call asked
    for that. ``cur`` of ``end`` is done; both count in a unit of the hypervisor's, and ``end`` may
    grow while the guest writes.
    """

    type: DomainBlockJobType | int
    bandwidth: int
    cur: int
    end: int
