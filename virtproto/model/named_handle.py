"""What handles on objects that have a name beside their UUID have in common, in both colours.

Must not know: which kinds of objects these are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import UuidHandle
from virtproto.model.refs import uuid_to_text

__all__ = ["NamedUuidHandle"]


class NamedUuidHandle(UuidHandle):
    """A handle on an object whose UUID tells it from others, and whose name people know."""

    __slots__ = ()

    def _label(self) -> str:
        return f"{self._wire.name!r} {uuid_to_text(self._wire.uuid)}"

    def get_name(self) -> str:
        """Return the object's name. No call is made."""
        name: str = self._wire.name
        return name
