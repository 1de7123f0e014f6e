"""What mechanisms have in common that can protect all that follows.

Responsible for keeping what an attempt is made with, and for the bounds of the protection. Must not
know any mechanism, nor how it protects.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.transport.road import Layer

__all__ = ["INTEGRITY_SSF", "LEAST_BUFFER", "Layered"]

# How strong it counts that nothing can be changed on its way, where all may be read.
INTEGRITY_SSF = 1
# A daemon that takes less in one packet than this would have every call cut to shreds.
LEAST_BUFFER = 256


class Layered:
    """One attempt by a mechanism that may agree on a security layer.

    ``min_ssf`` to ``max_ssf`` is how strong the protection has to be and may be, of which
    ``external_ssf`` is there already.
    """

    is_plaintext = False
    is_anonymous = False

    def __init__(
        self,
        service: str,
        host: str,
        *,
        min_ssf: int,
        max_ssf: int,
        external_ssf: int = 0,
        local: str | None = None,
        remote: str | None = None,
    ) -> None:
        """Prepare one attempt; where the ends of the road are means nothing to these mechanisms."""
        self.ssf = 0
        self.is_complete = False
        self._least = max(0, min_ssf - external_ssf)
        self._most = max(0, max_ssf - external_ssf)
        self._peer = f"{service}@{host}"
        self._layer: Layer | None = None

    def layer(self) -> Layer | None:
        """Return what protects everything that follows, None where nothing was agreed."""
        return self._layer
