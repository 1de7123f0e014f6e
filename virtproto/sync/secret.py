"""A secret, such as a passphrase for a disk, that the daemon keeps.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.secret_handle import SecretHandle

from ._methods.secret import SecretMethods

__all__ = ["Secret"]


class Secret(SecretMethods, SecretHandle):
    """A secret, such as a passphrase for a disk, that the daemon keeps.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the secret is gone, every call on it raises NoSecretError.
    """

    __slots__ = ()
