"""Reads the @key: value lines of the comment in front of a procedure.

The comment may have one annotation to a line, as libvirt's files do, or several on one. Lines that
do not begin with ``@`` are prose. Knows which keys there are, not what they are good for.
"""

from __future__ import annotations

import re

from xdrgen.convention import ANNOTATION_KEYS, IGNORED_ANNOTATIONS
from xdrgen.errors import XdrSyntaxError
from xdrgen.lexer import Note
from xdrgen.model import Position

__all__ = ["parse_annotations"]

_ANNOTATION = re.compile(r"@(\w+)[ \t]*:[ \t]*(\S+)")
_KNOWN = frozenset(ANNOTATION_KEYS) | IGNORED_ANNOTATIONS


def parse_annotations(note: Note | None, file: str) -> dict[str, tuple[str, ...]]:
    """Return each @key with its values in order; keys without wire meaning are left out.

    Raises XdrSyntaxError for an annotation without a value or of an unknown key.
    """
    found: dict[str, tuple[str, ...]] = {}
    if note is None:
        return found
    for number, text in enumerate(note.text.split("\n"), note.line):
        line = text.strip().lstrip("*").strip()
        if not line.startswith("@"):
            continue
        for key, value in _annotations(line, Position(file, number)):
            if key not in IGNORED_ANNOTATIONS:
                found[key] = (*found.get(key, ()), value)
    return found


def _annotations(line: str, position: Position) -> list[tuple[str, str]]:
    pairs = []
    for part in re.split(r"\s+(?=@)", line):
        match = _ANNOTATION.fullmatch(part)
        if match is None:
            raise XdrSyntaxError(f"expected '@key: value', found '{part}'", position)
        key, value = match.groups()
        if key not in _KNOWN:
            expected = ", ".join(f"@{known}" for known in sorted(_KNOWN))
            raise XdrSyntaxError(f"expected one of {expected}, found '@{key}'", position)
        pairs.append((key, value))
    return pairs
