"""What a handle on a storage pool remembers, in both colours: its name and UUID.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle
from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullStoragePool

__all__ = ["StoragePoolHandle"]


class StoragePoolHandle(UuidHandle):
    """What a storage pool of either colour is without its calls.

    Two handles are equal when they mean the same storage pool (UUID) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullStoragePool

    def _label(self) -> str:
        return f"{self._wire.name!r} {uuid_to_text(self._wire.uuid)}"

    def get_name(self) -> str:
        """Return the storage pool's name. No call is made."""
        return self._wire.name
