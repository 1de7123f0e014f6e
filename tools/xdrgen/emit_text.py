"""Prints Python expressions the way ruff format lays them out at 100 columns.

Responsible for: the form of a line: an expression that fits stands on one line, else each of its
parts stands on its own, followed by a comma. Must not know: what the code says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "WIDTH",
    "Bracket",
    "Pair",
    "Part",
    "Sum",
    "annotated",
    "call",
    "flat",
    "render",
    "returned",
    "text",
    "words",
]

WIDTH = 100
_STEP = 4


@dataclass(frozen=True)
class Bracket:
    """Items between brackets: a call, a tuple, a list, a dict or a set of parameters."""

    start: str
    items: tuple[Part, ...]
    end: str
    # A comma that must be there even on one line: that of a tuple of one item.
    comma: bool = False


@dataclass(frozen=True)
class Pair:
    """An item of a dict."""

    key: str
    value: Part


@dataclass(frozen=True)
class Sum:
    """Operands joined by "+"."""

    items: tuple[Part, ...]


Part = str | Bracket | Pair | Sum


def call(function: str, *arguments: Part) -> Bracket:
    """Return the call of a function."""
    return Bracket(f"{function}(", arguments, ")")


def text(value: object) -> Part:
    """Return a literal: tuples and dicts as brackets, strings in double quotes."""
    if isinstance(value, tuple):
        return Bracket("(", tuple(text(item) for item in value), ")", comma=len(value) == 1)
    if isinstance(value, dict):
        pairs = tuple(Pair(flat(text(key)), text(item)) for key, item in value.items())
        return Bracket("{", pairs, "}")
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)


def flat(part: Part) -> str:
    """Return the part on one line, however long."""
    if isinstance(part, str):
        return part
    if isinstance(part, Pair):
        return f"{part.key}: {flat(part.value)}"
    if isinstance(part, Sum):
        return " + ".join(flat(item) for item in part.items)
    comma = "," if part.comma else ""
    return f"{part.start}{', '.join(flat(item) for item in part.items)}{comma}{part.end}"


def render(part: Part, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """Return the lines of ``before``, the part and ``after`` at a depth of ``indent`` steps."""
    margin = " " * (_STEP * indent)
    line = f"{margin}{before}{flat(part)}{after}"
    if len(line) <= WIDTH or isinstance(part, str | Sum):
        return [line]
    if isinstance(part, Pair):
        return render(part.value, indent, f"{before}{part.key}: ", after)
    if not part.items:
        return [line]
    return [
        f"{margin}{before}{part.start}",
        *_items(part, indent + 1),
        f"{margin}{part.end}{after}",
    ]


def returned(part: Part, indent: int) -> list[str]:
    """Return the lines that return the part; a long sum of bytes is joined from a tuple."""
    margin = " " * (_STEP * indent)
    if isinstance(part, Sum) and len(margin + flat(part)) + len("return ") > WIDTH:
        parts = Bracket("(", part.items, ")")
        return [*render(parts, indent, "parts = "), f'{margin}return b"".join(parts)']
    return render(part, indent, "return ")


def annotated(name: str, annotation: Bracket, value: Bracket) -> list[str]:
    """Return the lines of an annotated assignment at the level of the module."""
    before = f"{name}: {flat(annotation)} = "
    if len(before + value.start) <= WIDTH:
        return render(value, 0, before)
    if len(before) + 1 <= WIDTH:
        return [f"{before}(", *render(value, 1), ")"]
    *head, last = [f"{name}: {annotation.start}", *_items(annotation, 1), annotation.end]
    return [*head, *render(value, 0, f"{last} = ")]


def _items(part: Bracket, indent: int) -> list[str]:
    return [line for item in part.items for line in render(item, indent, "", ",")]


def words(names: Sequence[str], indent: int, before: str, after: str = "") -> list[str]:
    """Return lines of a string that holds the names separated by spaces, wrapped in parentheses."""
    margin = " " * (_STEP * indent)
    whole = f'{margin}{before}"{" ".join(names)}"{after}'
    if len(whole) <= WIDTH:
        return [whole]
    room = WIDTH - _STEP * (indent + 1) - 3
    lines = [f"{margin}{before}("]
    for index, line in enumerate(_filled(names, room)):
        lines.append(f'{margin}    "{" " if index else ""}{line}"')
    return [*lines, f"{margin}){after}"]


def _filled(names: Iterable[str], room: int) -> list[str]:
    lines: list[str] = []
    current = ""
    for name in names:
        longer = f"{current} {name}" if current else name
        if current and len(longer) > room:
            lines.append(current)
            longer = name
        current = longer
    return [*lines, current] if current else lines
