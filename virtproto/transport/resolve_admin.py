"""What this machine adds to the URI of a daemon's administration: its environment and its user.

Responsible for asking the operating system; deciding with the answers is the model's business.
"""

from __future__ import annotations

import os

from virtproto.model.admin_endpoint import choose_admin_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import UnixEndpoint

__all__ = ["resolve_admin"]


def resolve_admin(text: str | None) -> tuple[str, UnixEndpoint]:
    """Return the URI that ``text`` means here and its socket. Raises URIError."""
    return choose_admin_endpoint(text, euid=os.geteuid(), environ=os.environ)
