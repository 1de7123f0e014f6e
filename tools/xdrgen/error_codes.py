"""Reads errors.toml: what each error code of libvirt means, and the exception class it gets.

::

    [spelling]
    XML = "XML"
    [VIR_ERR_XML_ERROR]
    means = "A description in XML says something that cannot be."
    action = "The message names the element; mend it before calling again."

Knows the file, the rule by which classes are named, and that every code there is must have one.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xdrgen.reading import TomlFile, read_toml

__all__ = ["ErrorCode", "read_errors"]

_PREFIX, _SUFFIX = "VIR_ERR_", "Error"
_SPELLING = "spelling"
_TEXTS = ("means", "action")


@dataclass(frozen=True)
class ErrorCode:
    """A code and its class; one that is written by hand has no texts here."""

    number: int
    c_name: str
    name: str
    means: str
    action: str
    by_hand: bool


def read_errors(path: Path, numbers: Mapping[str, int]) -> list[ErrorCode]:
    """Return the codes of an errors.toml by number; raise ContractError for one that cannot be.

    ``numbers`` are the codes by libvirt's names; each but 0, which is no error, must be described.
    """
    file = read_toml(path)
    spelling = file.data.get(_SPELLING, {})
    codes: dict[str, ErrorCode] = {}
    for table, entries in file.data.items():
        if table == _SPELLING:
            continue
        if not isinstance(entries, dict) or not numbers.get(table):
            raise file.error(f"expected an error code of libvirt, found '{table}'", table)
        code = _code(file, table, numbers[table], spelling)
        if code.name in codes:
            other = codes[code.name].c_name
            raise file.error(f"expected a name of its own, found that of {other}", table)
        codes[code.name] = code
    missing = {name for name, number in numbers.items() if number} - file.data.keys()
    if missing:
        raise file.error(f"expected a description of {min(missing)}, found none")
    return sorted(codes.values(), key=lambda code: code.number)


def _code(file: TomlFile, table: str, number: int, spelling: Mapping[str, str]) -> ErrorCode:
    entries = file.data[table]
    name = entries.get("name") or _class_name(file, table, spelling)
    by_hand = entries.get("by_hand", False)
    expected = {"by_hand"} if by_hand else set(_TEXTS)
    if entries.keys() - {"name"} != expected:
        found = ", ".join(entries) or "nothing"
        wanted = " and ".join(sorted(expected))
        raise file.error(f"expected {wanted}, found {found}", table)
    for key in _TEXTS:
        text = entries.get(key, ".")
        if not isinstance(text, str) or not text.endswith(".") or "\n" in text:
            raise file.error(f"expected a sentence on one line, found {text!r}", table, key)
    if not name.isidentifier() or not name.endswith(_SUFFIX) or hasattr(builtins, name):
        expected_name = "expected the name of a class of its own that ends in Error"
        raise file.error(f"{expected_name}, found '{name}'", table, "name")
    means, action = (entries.get(key, "") for key in _TEXTS)
    return ErrorCode(number, table, name, means, action, by_hand)


def _class_name(file: TomlFile, table: str, spelling: Mapping[str, str]) -> str:
    """Return the name that the rule gives: VIR_ERR_NO_DOMAIN is NoDomainError."""
    if not table.startswith(_PREFIX):
        raise file.error(f"expected a name for what is no {_PREFIX}, found none", table)
    words = table.removeprefix(_PREFIX).split("_")
    if words[-1] == _SUFFIX.upper():
        words.pop()
    return "".join(spelling.get(word, word.capitalize()) for word in words) + _SUFFIX
