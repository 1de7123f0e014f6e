"""What a handle on a device of the host remembers, in both colours: its name and parent.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullNodeDevice

__all__ = ["NodeDeviceHandle"]


class NodeDeviceHandle(ObjectHandle):
    """What a device of the host of either colour is without its calls.

    Two handles are equal when they mean the same device (name) on the same connection. The parent
    is asked for once and then remembered, as a device stays where it is.
    """

    # Unset until the daemon has named the parent.
    __slots__ = ("_parent",)

    _wire: NonnullNodeDevice
    _parent: str

    def _identity(self) -> object:
        return self._wire.name

    def _known_parent(self) -> str | None:
        """Return the parent's name if the daemon has told it before."""
        return getattr(self, "_parent", None)

    def get_name(self) -> str:
        """Return the device's name, such as ``pci_0000_00_1f_2``. No call is made."""
        return self._wire.name
