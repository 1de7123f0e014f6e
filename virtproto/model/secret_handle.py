"""What a handle on a secret remembers, in both colours: its UUID and what it is for.

Never the secret itself. Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle
from virtproto.model.refs import uuid_to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import SecretUsageType
    from virtproto.wire.remote.types import NonnullSecret

__all__ = ["SecretHandle"]


class SecretHandle(UuidHandle):
    """What a secret of either colour is without its calls.

    Two handles are equal when they mean the same secret (UUID) on the same connection.
    """

    __slots__ = ()

    _wire: NonnullSecret

    def _label(self) -> str:
        usage = self._wire.usageID
        text = uuid_to_text(self._wire.uuid)
        return f"{usage!r} {text}" if usage else text

    def get_usage_type(self) -> SecretUsageType | int:
        """Return what kind of use the secret is for: a volume's encryption, TLS ...

        No call is made.
        """
        from virtproto.constants import member

        return member("SecretUsageType", self._wire.usageType)

    def get_usage_id(self) -> str:
        """Return what the secret is for: a volume's path, a name, as the usage type says.

        "" where the secret has no use yet. No call is made.
        """
        return self._wire.usageID
