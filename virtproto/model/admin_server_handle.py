"""What a handle on a daemon's server remembers, in both colours: its name.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.admin import NonnullServer

__all__ = ["AdminServerHandle"]


class AdminServerHandle(ObjectHandle):
    """What a daemon's server of either colour is without its calls.

    Two handles are equal when they mean the same server (name) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullServer

    def _identity(self) -> object:
        return self._wire.name

    def get_name(self) -> str:
        """Return the server's name, such as ``libvirtd`` or ``admin``. No call is made."""
        return self._wire.name
