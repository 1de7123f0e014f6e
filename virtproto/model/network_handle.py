"""What a handle on a network remembers, in both colours: its name and UUID.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.named_handle import NamedUuidHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullNetwork

__all__ = ["NetworkHandle"]


class NetworkHandle(NamedUuidHandle):
    """What a network of either colour is without its calls.

    Two handles are equal when they mean the same network (UUID) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullNetwork
