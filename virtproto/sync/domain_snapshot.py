"""A snapshot: a domain's disks and memory as they were at a point in time.

Responsible for putting together the calls, which are generated, and the handle, and for the way
back to the domain. Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.domain_snapshot_handle import DomainSnapshotHandle
from virtproto.model.object_handle import handle

from ._methods.snapshot import DomainSnapshotMethods
from .domain import Domain

__all__ = ["DomainSnapshot"]


class DomainSnapshot(DomainSnapshotMethods, DomainSnapshotHandle):
    """A snapshot of a domain; made by its domain.

    Two handles are equal when they mean the same snapshot (name) of the same domain (UUID) on the
    same connection.
    """

    __slots__ = ()

    @property
    def domain(self) -> Domain:
        """The domain that it is a snapshot of, as ``get_domain`` returns it."""
        return self.get_domain()

    def get_domain(self) -> Domain:
        """Return a handle on the domain that it is a snapshot of. No call is made."""
        return handle(Domain, self._connection, self._wire.dom)
