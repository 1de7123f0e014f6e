"""What a handle on a storage volume remembers, in both colours: its pool, name and key.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullStorageVol

__all__ = ["StorageVolHandle"]


class StorageVolHandle(ObjectHandle):
    """What a storage volume of either colour is without its calls.

    Two handles are equal when they mean the same volume (pool and name, which is how the daemon
    finds it) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullStorageVol

    def _identity(self) -> object:
        return self._wire.pool, self._wire.name

    def _label(self) -> str:
        return f"{self._wire.name!r} in {self._wire.pool!r}"

    def get_name(self) -> str:
        """Return the volume's name, which is its own within the pool. No call is made."""
        return self._wire.name

    def get_key(self) -> str:
        """Return what identifies the volume among those of all pools. No call is made.

        For volumes that are files or block devices that is their path or a serial number.
        """
        return self._wire.key
