"""Text that the wire carries as an array of characters, the way C has it.

Must not know: which messages have such members.
"""

from __future__ import annotations

__all__ = ["chars_to_text"]


def chars_to_text(chars: bytes) -> str:
    """Return what stands before the first NUL, or all where there is none.

    What is not UTF-8 becomes surrogates, as in the wire's own texts.
    """
    return chars.partition(b"\0")[0].decode("utf-8", "surrogateescape")
