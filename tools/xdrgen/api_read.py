"""Reads protocol_defs/api: one TOML file for each room of methods.

Responsible for the layout of those files: which keys there are, and what may not be left out.
Whether a procedure or a member exists is found out by those who know the contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdrgen.api_model import Method, Parameter, Room
from xdrgen.errors import ContractError
from xdrgen.reading import TomlFile, read_toml

__all__ = ["read_api", "read_room"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER = {"owner", "class", "about", "program", "object", "object_argument", "eager"}
_METHOD = {
    "doc", "parameters", "call", "call_with_flags", "recipe", "procedures", "sends", "returns",
    "shape", "type", "handle", "remember", "peer", "writes", "writes_with_flags", "writes_with",
    "object", "raises",
}  # fmt: skip
_PARAMETER = {"field", "kind", "default", "enum", "doc", "known", "limit"}


def read_api(folder: Path) -> list[Room]:
    """Return every room of a folder, in order of the files' names."""
    return [read_room(path) for path in sorted(folder.glob("*.toml"))]


def read_room(path: Path) -> Room:
    """Return what one file describes; raise ContractError at the first thing that is amiss."""
    file = read_toml(path)
    header = {key: value for key, value in file.data.items() if not isinstance(value, dict)}
    _expect(file, header, _HEADER, "")
    for key in ("owner", "class", "about"):
        if not isinstance(header.get(key), str):
            raise file.error(f"expected {key} at the head of the file, found none")
    takes_object = header.get("object_argument", header["owner"] != "Connection")
    methods = [
        _method(file, name, table) for name, table in file.data.items() if isinstance(table, dict)
    ]
    return Room(
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
    ways = [key for key in ("call", "recipe") if key in table]
    if len(ways) != 1:
        raise file.error(f"{name}: expected either call or recipe", name)
    if "recipe" in table and not table.get("procedures"):
        raise file.error(f"{name}: expected the procedures that the recipe may call", name)
    if "recipe" in table and "." not in table["recipe"]:
        raise file.error(f"{name}: expected a recipe as module.function", name, "recipe")
    doc = str(table.get("doc", "")).strip()
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


def _parameter(file: TomlFile, method: str, name: str, table: Mapping[str, Any]) -> Parameter:
    _expect(file, table, _PARAMETER, method)
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


def _expect(file: TomlFile, table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise _unknown(file, where, key, known)


def _unknown(file: TomlFile, where: str, key: str, known: set[str]) -> ContractError:
    prefix = f"{where}: " if where else ""
    return file.error(f"{prefix}expected one of {', '.join(sorted(known))}, found {key}", where)
