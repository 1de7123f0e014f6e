"""What a handle on a domain remembers, in both colours: its name, UUID and id.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle
from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullDomain

__all__ = ["DomainHandle", "NO_ID"]

# The id of a domain that is not running (libvirt's own convention).
NO_ID = -1


class DomainHandle(UuidHandle):
    """What a domain of either colour is without its calls.

    Two handles are equal when they mean the same domain (UUID) on the same connection. The id is
    the one the daemon named when the handle was made, or this handle's own ``create`` and
    ``destroy`` brought about; a domain that others start or stop does not change it.
    """

    __slots__ = ()

    _wire: NonnullDomain

    def _label(self) -> str:
        return f"{self._wire.name!r} {uuid_to_text(self._wire.uuid)}"

    def get_name(self) -> str:
        """Return the domain's name. No call is made."""
        return self._wire.name

    def get_id(self) -> int:
        """Return the id as far as this handle knows, -1 if it was not running. No call is made."""
        return self._wire.id

    # Changes are made in a copy: other handles may hold the same message.

    def _set_id(self, number: int) -> None:
        self._remember(self._wire.name, number)

    def _set_name(self, name: str) -> None:
        self._remember(name, self._wire.id)

    def _remember(self, name: str, number: int) -> None:
        self._wire = type(self._wire)(name=name, uuid=self._wire.uuid, id=number)
        self._packed = self._wire.pack()
