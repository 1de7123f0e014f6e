"""What is told of the job that a domain is busy with.

Knows no message class; shapes fill these.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import DomainJobType

__all__ = ["DomainJobInfo"]


class DomainJobInfo(NamedTuple):
    """How far a save, dump, migration or backup has come (virDomainJobInfo).

    ``type`` is a DomainJobType, NONE while nothing goes on. ``time_elapsed_ms`` has passed since it
    began; ``time_remaining_ms`` is a guess, for a job of type BOUNDED only. ``data_*`` is the sum
    of ``mem_*`` (memory) and ``file_*`` (disks), in bytes. What is not known is 0; a total may grow
    while the guest writes.
    """

    type: DomainJobType | int
    time_elapsed_ms: int
    time_remaining_ms: int
    data_total_bytes: int
    data_processed_bytes: int
    data_remaining_bytes: int
    mem_total_bytes: int
    mem_processed_bytes: int
    mem_remaining_bytes: int
    file_total_bytes: int
    file_processed_bytes: int
    file_remaining_bytes: int
