"""Reads the @key: value lines of the comment in front of a procedure.

The comment may have one annotation to a line, as libvirt's files do, or several on one. Lines that
do not begin with ``@`` are prose. Knows which keys there are, not what they are good for: a key of
a later libvirt is passed over with a remark, since its files must be read all the same.
"""

from __future__ import annotations

import re

from xdrgen.convention import ANNOTATION_KEYS, IGNORED_ANNOTATIONS
from xdrgen.errors import XdrSyntaxError
from xdrgen.lexer import Note
from xdrgen.model import Position, Remark

__all__ = ["parse_annotations"]

_KEY = re.compile(r"@(\w[\w-]*)")
_ANNOTATION = re.compile(r"@(\w+)[ \t]*:[ \t]*(\S+)")
_KNOWN = frozenset(ANNOTATION_KEYS) | IGNORED_ANNOTATIONS


def parse_annotations(
    note: Note | None, file: str
) -> tuple[dict[str, tuple[str, ...]], list[Remark]]:
    """Return each @key with its values in order, and a remark for each key that is not known.

    Keys without wire meaning are left out. Raises XdrSyntaxError for a known key without a value.
    """
    found: dict[str, tuple[str, ...]] = {}
    remarks: list[Remark] = []
    if note is None:
        return found, remarks
    for number, text in enumerate(note.text.split("\n"), note.line):
        line = text.strip().lstrip("*").strip()
        if not line.startswith("@"):
            continue
        position = Position(file, number)
        for part in re.split(r"\s+(?=@)", line):
            key = _KEY.match(part)
            if key is not None and key[1] not in _KNOWN:
                remarks.append(Remark(f"unknown annotation '{key[0]}'", position))
                continue
            match = _ANNOTATION.fullmatch(part)
            if match is None:
                raise XdrSyntaxError(f"expected '@key: value', found '{part}'", position)
            if match[1] not in IGNORED_ANNOTATIONS:
                found[match[1]] = (*found.get(match[1], ()), match[2])
    return found, remarks
