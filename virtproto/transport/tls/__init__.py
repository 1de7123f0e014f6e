"""TLS on the way to a daemon: which files, what they must say, the handshake, the layer.

Responsible for behaving as libvirt's own client does with the same files and the same daemon, and
for saying which file and which field is at fault. Must not know sockets, or what travels inside.
"""

from __future__ import annotations

from virtproto.model.endpoint import TlsEndpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import Endpoint
    from virtproto.transport.road import Conversation, Layer

__all__ = ["agreement"]


def agreement(endpoint: Endpoint) -> Conversation[tuple[Layer, int]] | None:
    """Return how TLS begins, None for a road without; what is wrong on this side is told now."""
    if not isinstance(endpoint, TlsEndpoint):
        return None
    # Loaded for roads with TLS alone.
    from .handshake import shake_hands

    return shake_hands(endpoint)
