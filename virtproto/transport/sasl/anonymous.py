"""ANONYMOUS: nobody in particular.

Responsible for its one message. Source: RFC 4505.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType

from .layerless import Layerless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Anonymous"]


class Anonymous(Layerless):
    """The client of one authentication by ANONYMOUS."""

    name = "ANONYMOUS"
    is_anonymous = True

    def start(self, answers: Mapping[CredentialType, str]) -> bytes:
        """Return a word for the daemon's log: the user name if one is known, else "anonymous"."""
        self.is_complete = True
        trace = answers.get(CredentialType.AUTHNAME) or answers.get(CredentialType.USERNAME)
        return (trace or "anonymous").encode("utf-8", "surrogateescape")[:255]

    def step(self, data: bytes | None) -> None:
        """Have nothing to say; a daemon that says something does not speak ANONYMOUS."""
        if data:
            raise AuthenticationError("ANONYMOUS: the daemon answered it with a question")
