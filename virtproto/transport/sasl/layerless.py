"""What mechanisms without a security layer have in common.

Responsible for keeping what an attempt is made with. Must not know any mechanism.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.credentials import CredentialType

__all__ = ["Layerless"]


class Layerless:
    """One attempt by a mechanism that only says who somebody is."""

    name = ""
    is_plaintext = False
    is_anonymous = False
    may_block = False
    max_ssf = 0
    ssf = 0
    wanted: tuple[CredentialType, ...] = ()
    is_complete = False

    def __init__(
        self,
        service: str,
        host: str,
        *,
        min_ssf: int = 0,
        max_ssf: int = 0,
        external_ssf: int = 0,
        local: str | None = None,
        remote: str | None = None,
    ) -> None:
        """Prepare one attempt; all that this is about concerns mechanisms with a layer."""
        self.service = service
        self.host = host

    def __repr__(self) -> str:
        # What else it keeps is not shown.
        return f"<SASL {self.name}>"

    def layer(self) -> None:
        """There is none."""

    def forget(self) -> None:
        """Drop what is secret; nothing is kept where the answers are not."""
