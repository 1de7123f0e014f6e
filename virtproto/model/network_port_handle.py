"""What a handle on a network's port remembers, in both colours: its network and UUID.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle
from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullNetworkPort

__all__ = ["NetworkPortHandle"]


class NetworkPortHandle(UuidHandle):
    """What a network's port of either colour is without its calls.

    Two handles are equal when they mean the same port (UUID) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullNetworkPort

    def _label(self) -> str:
        return f"{uuid_to_text(self._wire.uuid)} of {self._wire.net.name!r}"
