"""What a handle on a network interface of the host remembers: its name and hardware address.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullInterface

__all__ = ["InterfaceHandle"]


class InterfaceHandle(ObjectHandle):
    """What a network interface of the host of either colour is without its calls.

    Two handles are equal when they mean the same interface (name) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullInterface

    def _identity(self) -> object:
        return self._wire.name

    def get_name(self) -> str:
        """Return the interface's name, such as ``eth0``. No call is made."""
        return self._wire.name

    def get_mac(self) -> str:
        """Return the hardware address as text, "" where it has none. No call is made."""
        return self._wire.mac
