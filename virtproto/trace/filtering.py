"""Which messages are wanted: the expressions of ``--filter``.

Responsible for reading expressions, and for keeping replies with their calls. Must not know how
messages are printed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage

__all__ = ["Filter"]


class Filter:
    """An expression, such as ``DOMAIN_* and not error``, read."""

    def __init__(self, text: str) -> None:
        """Read an expression. Raises UsageError that says what there is."""
        self.text = text

    def wants(self, message: TracedMessage) -> bool:
        """Tell whether a message is to be shown."""
        return True
