"""EXTERNAL: who somebody is, the road has told already.

Responsible for its one message. Source: RFC 4422, appendix A.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError
from virtproto.model.credentials import CredentialType

from .layerless import Layerless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["External"]


class External(Layerless):
    """The client of one authentication by EXTERNAL."""

    name = "EXTERNAL"

    def start(self, answers: Mapping[CredentialType, str]) -> bytes:
        """Return as whom to act; empty, not absent, is whoever the road says."""
        self.is_complete = True
        name = answers.get(CredentialType.USERNAME) or ""
        if "\0" in name:
            raise AuthenticationError("username: EXTERNAL cannot say one with a NUL")
        return name.encode("utf-8", "surrogateescape")

    def step(self, data: bytes | None) -> None:
        """Have nothing to say; a daemon that says something does not speak EXTERNAL."""
        if data:
            raise AuthenticationError("EXTERNAL: the daemon answered it with a question")
