"""What a handle on a daemon's client remembers: its server, id, arrival and transport.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import ClientTransport
    from virtproto.wire.admin import NonnullClient

__all__ = ["AdminClientHandle"]


class AdminClientHandle(ObjectHandle):
    """What a client of a daemon of either colour is without its calls.

    Two handles are equal when they mean the same client (server and id) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullClient

    def _identity(self) -> object:
        return self._wire.srv.name, self._wire.id

    def _label(self) -> str:
        return f"{self._wire.id} of {self._wire.srv.name!r}"

    def get_id(self) -> int:
        """Return the client's number, which its server uses once only. No call is made."""
        return self._wire.id

    def get_timestamp(self) -> int:
        """Return when the client connected, in seconds since 1970 (UTC). No call is made."""
        return self._wire.timestamp

    def get_transport(self) -> ClientTransport | int:
        """Return how the client is connected: by a local socket, TCP or TLS. No call is made."""
        from virtproto.constants import member

        return member("ClientTransport", self._wire.transport)
