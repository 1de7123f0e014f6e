"""Cuts the text of a .x file into tokens, leaving out what is not XDR.

Left out: comments, lines that begin with ``%`` (meant for the C file) and C preprocessor lines. The
text of a ``/** ... */`` comment is kept on the token that follows it, where the parser looks for
annotations. Knows no grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xdrgen.errors import XdrSyntaxError
from xdrgen.model import Position

__all__ = ["NAME", "NUMBER", "PUNCTUATION", "END", "Note", "Token", "tokenize"]

NAME = "name"
NUMBER = "number"
PUNCTUATION = "punctuation"
END = "end of file"

_SCANNER = re.compile(
    r"""
      (?P<space>[ \t\r\f\v]+)
    | (?P<newline>\n)
    | (?P<comment>/\*.*?\*/)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>-?[0-9][A-Za-z0-9_]*)
    | (?P<punctuation>[{}()\[\]<>;,=:*])
    """,
    re.VERBOSE | re.DOTALL,
)

# A pass-through line, or a preprocessor line with what its backslashes continue.
_FOREIGN_LINE = re.compile(r"%[^\n]*|[ \t]*\#(?:\\\r?\n|[^\n])*")

_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


@dataclass(frozen=True)
class Note:
    """The text between ``/**`` and ``*/``, and the line on which it begins."""

    text: str
    line: int


@dataclass(frozen=True)
class Token:
    """One word, number or sign; ``note`` is the last ``/**`` comment in front of it."""

    kind: str
    text: str
    position: Position
    note: Note | None = None

    @property
    def shown(self) -> str:
        """How messages name it."""
        return END if self.kind == END else f"'{self.text}'"

    @property
    def value(self) -> int:
        """The value of a number: decimal, 0x hexadecimal or 0 octal, perhaps negative."""
        digits = self.text.removeprefix("-")
        sign = -1 if self.text.startswith("-") else 1
        if digits[:2] in ("0x", "0X"):
            return sign * int(digits, 16)
        return sign * int(digits, 8 if digits.startswith("0") else 10)


def tokenize(text: str, file: str) -> list[Token]:
    """Return the tokens of a text, an END token last; ``file`` stands in positions.

    Raises XdrSyntaxError at a sign that XDR does not have, a malformed number, an open comment.
    """
    tokens: list[Token] = []
    note: Note | None = None
    offset, line, line_start = 0, 1, True
    while offset < len(text):
        match = _FOREIGN_LINE.match(text, offset) if line_start else None
        kind = "foreign" if match else ""
        if match is None:
            match = _SCANNER.match(text, offset)
            if match is None:
                raise _stray(text, offset, Position(file, line))
            kind = match.lastgroup or ""
        found = match.group()
        if kind in (NAME, NUMBER, PUNCTUATION):
            if kind == NUMBER and not _NUMBER.fullmatch(found):
                raise XdrSyntaxError(f"expected a number, found '{found}'", Position(file, line))
            tokens.append(Token(kind, found, Position(file, line), note))
            note = None
        elif found.startswith("/**") and found != "/**/":
            note = Note(found[3:-2], line)
        line += found.count("\n")
        line_start = kind == "newline"
        offset = match.end()
    tokens.append(Token(END, "", Position(file, line), note))
    return tokens


def _stray(text: str, offset: int, position: Position) -> XdrSyntaxError:
    if text.startswith("/*", offset):
        return XdrSyntaxError("expected '*/' to end this comment, found end of file", position)
    return XdrSyntaxError(
        f"expected a name, a number or punctuation, found {text[offset]!r}", position
    )
