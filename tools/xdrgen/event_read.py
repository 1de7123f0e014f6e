"""Reads protocol_defs/events.toml: every event under the name of its record.

Responsible for the layout of that file: which keys there are, of which types, and what may not be
left out. Whether what they name exists is found out by ``event_check``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdrgen.event_model import FAMILIES, Event, Field
from xdrgen.reading import TomlFile, read_toml

__all__ = ["read_events"]

_RECORD = re.compile(r"[A-Z][A-Za-z0-9]+")
_FIELD = re.compile(r"[a-z][a-z0-9_]*")
# What fits on a docstring's first line.
_FIRST_LINE = 92
# What every tuple has already.
_TAKEN = frozenset({"count", "index"})
_HEADER: dict[str, type] = {"family": str, "id": int, "procedures": list, "about": str}
_FIELD_KEYS: dict[str, type] = {"member": str, "enum": str, "older": int, "means": str}


def read_events(path: Path) -> list[Event]:
    """Return what the file describes; raise ContractError at the first thing that is amiss."""
    file = read_toml(path)
    return [_event(file, name, table) for name, table in file.data.items()]


def _event(file: TomlFile, name: str, table: Any) -> Event:
    if not isinstance(table, dict):
        raise file.error(f"expected a table, found {name}", "", name)
    if not _RECORD.fullmatch(name):
        raise file.error(f"expected the name of a record, found {name!r}", name)
    for key, wanted in _HEADER.items():
        if type(table.get(key)) is not wanted:
            raise file.error(f"{name}: expected {key}, found {table.get(key)!r}", name, key)
    if table["family"] not in FAMILIES:
        found = f"expected one of {', '.join(FAMILIES)}, found {table['family']!r}"
        raise file.error(f"{name}: {found}", name, "family")
    _check_sentence(file, name, "about", table["about"])
    if len(table["about"]) > _FIRST_LINE:
        raise file.error(f"{name}: about: expected {_FIRST_LINE} letters at most", name, "about")
    procedures = tuple(table["procedures"])
    if not 1 <= len(procedures) <= 2 or not all(isinstance(each, str) for each in procedures):
        raise file.error(f"{name}: expected one or two procedures", name, "procedures")
    given = {key: value for key, value in table.items() if key not in _HEADER}
    return Event(
        name=name,
        file=file,
        family=table["family"],
        id=table["id"],
        procedures=procedures,
        about=table["about"],
        fields=tuple(_field(file, name, key, value) for key, value in given.items()),
    )


def _field(file: TomlFile, event: str, name: str, table: Mapping[str, Any]) -> Field:
    if not isinstance(table, dict):
        raise file.error(f"{event}: expected a field, found {name}", event, name)
    if not _FIELD.fullmatch(name) or keyword.iskeyword(name) or name in _TAKEN:
        raise file.error(f"{event}: expected a field's name, found {name!r}", event, name)
    for key, value in table.items():
        if type(value) is not _FIELD_KEYS.get(key):
            known = ", ".join(_FIELD_KEYS)
            raise file.error(f"{event}: {name}: expected {known}, found {key}", event, name)
    _check_sentence(file, event, name, table.get("means", ""))
    return Field(
        name=name,
        member=table.get("member", name),
        means=table["means"],
        enum=table.get("enum", ""),
        older=table.get("older"),
    )


def _check_sentence(file: TomlFile, event: str, key: str, text: str) -> None:
    if not text.endswith(".") or "\n" in text:
        raise file.error(f"{event}: {key}: expected a sentence, found {text!r}", event, key)
