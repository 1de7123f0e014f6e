"""Reads protocol_defs/api: one TOML file for each group of methods.

Responsible for the layout of those files: which keys there are, of which types, and what may not be
left out. Whether what they name exists is found out by ``api_check``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdrgen.api_model import Method, MethodGroup, Parameter
from xdrgen.errors import ContractError
from xdrgen.reading import TomlFile, read_toml

__all__ = ["read_api", "read_group"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER: dict[str, type] = {
    "owner": str,
    "class": str,
    "about": str,
    "program": str,
    "object": str,
    "object_argument": bool,
    "eager": bool,
}
_METHOD: dict[str, type] = {
    "doc": str,
    "parameters": dict,
    "call": str,
    "call_with_flags": str,
    "recipe": str,
    "procedures": list,
    "sends": dict,
    "returns": str,
    "shape": str,
    "type": str,
    "handle": str,
    "remember": str,
    "peer": str,
    "writes": bool,
    "writes_with_flags": int,
    "writes_with": dict,
    "object": str,
    "raises": dict,
}
# What the entries of a method's lists and tables are, where all are alike.
_ENTRIES: dict[str, type] = {"procedures": str, "writes_with": int, "raises": str}
_PARAMETER: dict[str, type] = {
    "field": str,
    "kind": str,
    "default": object,
    "enum": str,
    "doc": str,
    "known": str,
    "limit": str,
}
_TYPES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "a table",
}


def read_api(folder: Path) -> list[MethodGroup]:
    """Return every group of a folder, in order of the files' names."""
    return [read_group(path) for path in sorted(folder.glob("*.toml"))]


def read_group(path: Path) -> MethodGroup:
    """Return what one file describes; raise ContractError at the first thing that is amiss."""
    file = read_toml(path)
    header = {key: value for key, value in file.data.items() if not isinstance(value, dict)}
    _expect(file, header, _HEADER, "")
    for key in ("owner", "class", "about"):
        if key not in header:
            raise file.error(f"expected {key} at the head of the file, found none")
    takes_object = header.get("object_argument", header["owner"] != "Connection")
    methods = [
        _method(file, name, table) for name, table in file.data.items() if isinstance(table, dict)
    ]
    return MethodGroup(
        stem=path.stem,
        file=file,
        owner=header["owner"],
        cls=header["class"],
        about=header["about"],
        program=header.get("program", "remote"),
        object=header.get("object", "") if takes_object else "none",
        eager=header.get("eager", False),
        methods=tuple(methods),
    )


def _method(file: TomlFile, name: str, table: Mapping[str, Any]) -> Method:
    if not _NAME.fullmatch(name):
        raise file.error(f"expected a method's name, found {name!r}", name)
    _expect(file, table, _METHOD, name)
    for key, wanted in _ENTRIES.items():
        entries = table.get(key, ())
        values = entries.values() if isinstance(entries, dict) else entries
        for value in values:
            if type(value) is not wanted:
                raise _mistyped(file, name, key, value, wanted, "entries that are ")
    ways = [key for key in ("call", "recipe") if key in table]
    if len(ways) != 1:
        raise file.error(f"{name}: expected either call or recipe", name)
    if "recipe" in table and not table.get("procedures"):
        raise file.error(f"{name}: expected the procedures that the recipe may call", name)
    if "recipe" in table and "." not in table["recipe"]:
        raise file.error(f"{name}: expected a recipe as module.function", name, "recipe")
    doc = table.get("doc", "").strip()
    if not doc.partition("\n")[0].endswith("."):
        raise file.error(f"{name}: expected a doc whose first line ends with a full stop", name)
    given = {key: value for key, value in table.items() if key not in ("parameters", "doc")}
    if "procedures" in given:
        given["procedures"] = tuple(given["procedures"])
    parameters = table.get("parameters", {})
    return Method(
        name=name,
        doc=doc,
        parameters=tuple(_parameter(file, name, key, each) for key, each in parameters.items()),
        **given,
    )


def _parameter(file: TomlFile, method: str, name: str, table: Any) -> Parameter:
    if not isinstance(table, dict):
        raise _mistyped(file, method, name, table, dict)
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise file.error(f"{method}: expected a parameter's name, found {name!r}", method, name)
    _expect(file, table, _PARAMETER, method, name)
    return Parameter(
        name=name,
        member=table.get("field", name),
        kind=table.get("kind", ""),
        default=table.get("default"),
        enum=table.get("enum", ""),
        doc=table.get("doc", ""),
        known=table.get("known", ""),
        limit=table.get("limit", ""),
    )


def _expect(
    file: TomlFile, table: Mapping[str, Any], known: Mapping[str, type], method: str, at: str = ""
) -> None:
    """Raise unless all keys are known and have values of their types; ``at`` is a parameter."""
    for key, value in table.items():
        wanted = known.get(key)
        where = at or key
        if wanted is None:
            prefix = f"{method}: " if method else ""
            expected = f"{prefix}expected one of {', '.join(sorted(known))}, found {key}"
            raise file.error(expected, method, where)
        if wanted is not object and type(value) is not wanted:
            raise _mistyped(file, method, where, value, wanted, f"{key} to be " if at else "")


def _mistyped(
    file: TomlFile, method: str, key: str, value: object, wanted: type, what: str = ""
) -> ContractError:
    prefix = f"{method}: " if method else ""
    expected = f"{prefix}{key}: expected {what}{_TYPES[wanted]}, found {value!r}"
    return file.error(expected, method, key)
