"""What this machine adds to the URI of a daemon's administration: environment, user, settings.

Responsible for asking the operating system; deciding with the answers is the model's business.
"""

from __future__ import annotations

import os

from virtproto.model.admin_endpoint import choose_admin_endpoint
from virtproto.transport.resolve import environment, read_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import UnixEndpoint

__all__ = ["resolve_admin"]


def resolve_admin(text: str | None, *, aliases: bool = True) -> tuple[str, UnixEndpoint]:
    """Return the URI that ``text`` means here and its socket.

    Raises URIError, and ConfigFileError for a libvirt-admin.conf that cannot be used.
    """
    environ, euid = environment(), os.geteuid()
    config = read_config("libvirt-admin.conf", environ, euid)
    return choose_admin_endpoint(text, euid=euid, environ=environ, config=config, aliases=aliases)
