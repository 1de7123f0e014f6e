"""Opening a connection to a daemon's administration.

Responsible for the one call that it takes. There is no authentication: the socket's permissions
decide.
"""

from __future__ import annotations

from virtproto.model.recipes.opening import Opened
from virtproto.wire.admin import CONNECT_OPEN, ConnectOpenArgs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe

__all__ = ["open_admin"]


def open_admin(uri: str) -> Recipe[Opened]:
    """Go from a connected socket to an open connection. Source: remoteAdminConnectOpen."""
    yield CONNECT_OPEN, ConnectOpenArgs(flags=0)
    return Opened(uri, keepalive=False)
