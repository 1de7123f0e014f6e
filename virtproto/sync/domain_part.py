"""What a snapshot and a checkpoint of a domain have in common: the way back to the domain.

Its twin of the other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle, handle

from .domain import Domain

__all__ = ["DomainPart"]


class DomainPart(ObjectHandle):
    """Something that a domain has, and that is named together with it."""

    __slots__ = ()

    @property
    def domain(self) -> Domain:
        """The domain that it is of, as ``get_domain`` returns it."""
        return self.get_domain()

    def get_domain(self) -> Domain:
        """Return a handle on the domain that it is of. No call is made."""
        return handle(Domain, self._connection, self._wire.dom)
