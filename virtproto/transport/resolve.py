"""What this machine adds to a connection URI: its environment, its user, the sockets that exist.

Responsible for asking the operating system; deciding with the answers is the model's business.
"""

from __future__ import annotations

import os

from virtproto.model.endpoint import choose_endpoint
from virtproto.model.uri import resolve_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import UnixEndpoint
    from virtproto.model.uri import ConnectionURI

__all__ = ["resolve"]


def resolve(text: str | None, *, readonly: bool) -> tuple[ConnectionURI | None, UnixEndpoint]:
    """Return the URI that ``text`` means here, None for the daemon's choice, and its socket.

    No text means ``LIBVIRT_DEFAULT_URI``, then the daemon's choice. Raises URIError.
    """
    uri = resolve_uri(text, os.environ)
    endpoint = choose_endpoint(
        uri, readonly=readonly, euid=os.geteuid(), environ=os.environ, exists=os.path.exists
    )
    return uri, endpoint
