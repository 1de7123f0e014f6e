"""A snapshot: a domain's disks and memory as they were at a point in time.

Responsible for putting together the calls, which are generated, the handle, and the way back to
the domain. Its twin of the other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.domain_part_handle import DomainSnapshotHandle

from ._methods.snapshot import DomainSnapshotMethods
from .domain_part import DomainPart

__all__ = ["DomainSnapshot"]


class DomainSnapshot(DomainSnapshotMethods, DomainPart, DomainSnapshotHandle):
    """A snapshot of a domain; made by its domain.

    Two handles are equal when they mean the same snapshot (name) of the same domain (UUID) on the
    same connection.

    Once the snapshot is deleted, every call on it raises NoDomainSnapshotError.
    """

    __slots__ = ()
