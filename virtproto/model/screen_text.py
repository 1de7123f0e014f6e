"""Text for a terminal: what takes how many columns, and what must not reach one as it is.

Responsible for single texts. Must not know tables, colours, or what the text is about.
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

__all__ = ["columns", "cut", "head", "visible"]

ELLIPSIS = "…"


def visible(text: str) -> str:
    """Return ``text`` with control characters and the like written as escapes.

    That is all that could act on a terminal: escape sequences, line ends, marks that turn the
    direction of what follows, bytes that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes, which is visible."""
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


def cut(text: str, width: int) -> str:
    """Return what of a visible text goes into ``width`` columns; its end says if there is more."""
    if columns(text) <= width:
        return text
    if width <= 0:
        return ""
    return head(text, width - 1) + ELLIPSIS


def head(text: str, width: int) -> str:
    """Return the beginning of a visible text that goes into ``width`` columns."""
    if text.isascii():
        return text[:width]
    taken = 0
    for index, character in enumerate(text):
        taken += _columns_of(character)
        if taken > width:
            return text[:index]
    return text


def _columns_of(character: str) -> int:
    # Marks stand above what is before them, also those that combine with no class of their own.
    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
