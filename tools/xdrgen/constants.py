"""Reads constants.toml: libvirt's enums, flag sets and named strings, under the names they get.

::

    [virDomainState]
    about = "What a domain is doing."
    VIR_DOMAIN_RUNNING = 1
    [strings]
    VIR_PERF_PARAM_CMT = "cmt"

Knows the file and the rules of naming: a class loses "vir" and a final "Values", a member what
all members begin with. What is printed from it is the business of emit_constants.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdrgen.reading import TomlFile, read_toml

__all__ = ["Constants", "EnumDef", "read_constants"]

_STRINGS, _NUMBERS, _LEFT_OUT = "strings", "numbers", "left_out"
_FLAGS = re.compile(r"Flags?(Values)?$")
_C_ENUM = re.compile(r"vir[A-Z]\w+")
_C_NAME = re.compile(r"VIR_[A-Z0-9_]+")
_SETTINGS: dict[str, type] = {"about": str, "flags": bool, "prefixes": list, "name": str}


@dataclass(frozen=True)
class EnumDef:
    """An enum or a set of flags; members in the order of the file, by Python and by C name."""

    c_name: str
    name: str
    about: str
    flags: bool
    members: Mapping[str, int]
    c_members: Mapping[str, int]


@dataclass(frozen=True)
class Constants:
    """What constants.toml holds; values by Python name."""

    enums: Mapping[str, EnumDef]
    values: Mapping[str, str | int]

    def c_members(self, c_name: str) -> Mapping[str, int]:
        """Return the members of what libvirt calls ``c_name`` under libvirt's names."""
        found = [enum.c_members for enum in self.enums.values() if enum.c_name == c_name]
        return found[0] if found else {}


def read_constants(path: Path) -> Constants:
    """Return what a constants.toml says; raise ContractError for one that cannot be."""
    file = read_toml(path)
    enums: dict[str, EnumDef] = {}
    values: dict[str, str | int] = {}
    found: dict[str, str] = {}
    members: Mapping[str, Any]
    for table, entries in file.data.items():
        if not isinstance(entries, dict):
            raise file.error(f"expected a table, found '{table}'", "", table)
        if table == _LEFT_OUT:
            _check_types(file, table, entries, str)
            members = dict.fromkeys(entries, 0)
        elif table in (_STRINGS, _NUMBERS):
            members = _check_types(file, table, entries, str if table == _STRINGS else int)
            for c_name, value in entries.items():
                _add(file, table, values, _short(file, table, c_name, ("VIR_",)), value)
        elif _C_ENUM.fullmatch(table):
            members = _members(file, table)
            enum = _enum(file, table, members)
            _add(file, table, enums, enum.name, enum)
        else:
            raise file.error(f"expected an enum of libvirt, found '{table}'", table)
        for c_name in members:
            if c_name in found:
                raise file.error(
                    f"expected {c_name} once, found it in {found[c_name]}", table, c_name
                )
            found[c_name] = table
    return Constants(enums, values)


def _add(file: TomlFile, table: str, known: dict[str, Any], name: str, value: Any) -> None:
    if name in known:
        raise file.error(f"expected a name of its own, found a second {name}", table)
    known[name] = value


def _check_types(
    file: TomlFile, table: str, entries: Mapping[str, Any], wanted: type
) -> Mapping[str, Any]:
    for c_name, value in entries.items():
        if type(value) is not wanted:
            raise file.error(f"expected {wanted.__name__}, found {value!r}", table, c_name)
    return entries


def _members(file: TomlFile, table: str) -> dict[str, int]:
    """Return the members of an enum, having checked them and the settings beside them."""
    entries = file.data[table]
    for key, value in entries.items():
        wanted = _SETTINGS.get(key, int)
        if key not in _SETTINGS and not _C_NAME.fullmatch(key):
            expected = f"expected {', '.join(_SETTINGS)} or a member, found '{key}'"
            raise file.error(expected, table, key)
        if type(value) is not wanted:
            raise file.error(f"expected {wanted.__name__}, found {value!r}", table, key)
    members = {key: value for key, value in entries.items() if key not in _SETTINGS}
    about = entries.get("about", "")
    if not members:
        raise file.error("expected members, found none", table)
    if not about.endswith(".") or "\n" in about:
        raise file.error(f"expected a sentence on one line, found {about!r}", table, "about")
    return members


def _enum(file: TomlFile, table: str, members: dict[str, int]) -> EnumDef:
    settings = file.data[table]
    name = settings.get("name", re.sub("Values$", "", table.removeprefix("vir")))
    flags = settings.get("flags", bool(_FLAGS.search(table)))
    if flags:
        for c_name, value in members.items():
            if value < 0 or value & (value - 1):
                raise file.error(f"expected a flag, found {value}", table, c_name)
    prefixes = settings.get("prefixes") or (_shared_prefix(table, list(members)),)
    short: dict[str, int] = {}
    for c_name, value in members.items():
        _add(file, table, short, _short(file, table, c_name, prefixes), value)
    return EnumDef(table, name, settings["about"], flags, short, members)


def _short(file: TomlFile, table: str, c_name: str, prefixes: Sequence[str]) -> str:
    """Return the Python name of what C calls ``c_name``."""
    for prefix in prefixes:
        name = c_name.removeprefix(prefix)
        if name != c_name:
            if not name.isidentifier() or keyword.iskeyword(name):
                expected = f"expected what is left of {c_name} to be a name, found '{name}'"
                raise file.error(expected, table, c_name)
            return name
    raise file.error(f"expected {c_name} to begin with {prefixes[0]}", table, c_name)


def _shared_prefix(table: str, members: Sequence[str]) -> str:
    """Return the words that all members begin with, leaving each one word at least.

    A single member begins with itself; what its enum's name begins with as well is taken for it.
    """
    words = [member.split("_") for member in members]
    count = 0
    if len(members) > 1:
        while (
            all(len(row) > count + 1 for row in words) and len({row[count] for row in words}) == 1
        ):
            count += 1
    else:
        whole = table.upper()
        row = words[0]
        while len(row) > count + 1 and whole.startswith("".join(row[: count + 1])):
            count += 1
    return "".join(f"{word}_" for word in words[0][:count])
