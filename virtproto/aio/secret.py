"""A secret, such as a passphrase for a disk, that the daemon keeps.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.secret_handle import SecretHandle

from .objects import RemoteObject

__all__ = ["Secret"]


class Secret(RemoteObject, SecretHandle):
    """A secret, such as a passphrase for a disk, that the daemon keeps; made by its connection."""

    __slots__ = ()
