"""PLAIN: name and password as they are.

Responsible for its one message. Only for roads on which nobody can listen: that is seen to where
mechanisms are chosen. Source: RFC 4616.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError
from virtproto.model.credentials import ConcealedBytes, CredentialType

from .layerless import Layerless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Plain"]


class Plain(Layerless):
    """The client of one authentication by PLAIN."""

    name = "PLAIN"
    is_plaintext = True
    wanted = (CredentialType.AUTHNAME, CredentialType.PASSPHRASE)

    def start(self, answers: Mapping[CredentialType, str]) -> bytes:
        """Return the whole: as whom to act, who logs in, his password."""
        parts = [answers.get(CredentialType.USERNAME) or ""]
        parts += [answers[kind] for kind in self.wanted]
        for part, what in zip(parts, ("username", "authname", "password"), strict=True):
            if "\0" in part:
                raise AuthenticationError(f"{what}: PLAIN cannot say one with a NUL")
        self.is_complete = True
        return ConcealedBytes("\0".join(parts).encode("utf-8", "surrogateescape"))

    def step(self, data: bytes | None) -> None:
        """Have nothing to say; a daemon that says something does not speak PLAIN."""
        if data:
            raise AuthenticationError("PLAIN: the daemon answered it with a question")
