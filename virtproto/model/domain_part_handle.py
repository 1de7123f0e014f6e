"""What a handle on something that a domain has remembers, in both colours: its name and its domain.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullDomainCheckpoint, NonnullDomainSnapshot

__all__ = ["DomainCheckpointHandle", "DomainPartHandle", "DomainSnapshotHandle"]


class DomainPartHandle(ObjectHandle):
    """What is named together with its domain, without its calls."""

    __slots__ = ()

    def _identity(self) -> object:
        return self._wire.dom.uuid, self._wire.name

    def _label(self) -> str:
        return f"{self._wire.name!r} of {self._wire.dom.name!r}"

    def get_name(self) -> str:
        """Return its name, which no other of its kind and its domain has. No call is made."""
        name: str = self._wire.name
        return name


class DomainSnapshotHandle(DomainPartHandle):
    """What a domain's snapshot of either colour is without its calls.

    Two handles are equal when they mean the same snapshot (name) of the same domain (UUID) on the
    same connection.
    """

    __slots__ = ()

    _wire: NonnullDomainSnapshot


class DomainCheckpointHandle(DomainPartHandle):
    """What a domain's checkpoint of either colour is without its calls.

    Two handles are equal when they mean the same checkpoint (name) of the same domain (UUID) on the
    same connection.
    """

    __slots__ = ()

    _wire: NonnullDomainCheckpoint
