"""Reads the contract from a facts file: JSON with one table per kind of declaration.

::

    {"remote_protocol.x": {
        "constants":  {NAME: number | "OTHER_NAME"},
        "enums":      {name: {MEMBER: number}},
        "typedefs":   {name: DECL},
        "structs":    {name: [DECL, ...]},
        "unions":     {name: {"on": DECL, "arms": [[LABEL, DECL], ...]}},
        "procedures": [{"name", "number", "annotations": {key: [value]}, "args"?, "ret"?, "msg"?}]}}

    DECL = {"type", "name", "array": "fixed" | "variable", "limit", "optional": true}

A typedef's DECL has no name of its own. Knows nothing of .x text.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from xdrgen.convention import FILE_ORDER, IGNORED_ANNOTATIONS
from xdrgen.errors import FactsError
from xdrgen.model import (
    Constant,
    Declaration,
    EnumDef,
    Position,
    ProcedureDef,
    Shape,
    SourceFile,
    StructDef,
    Typedef,
    UnionDef,
)

__all__ = ["read_facts"]

_ARRAYS = {"fixed": Shape.FIXED, "variable": Shape.VARIABLE}


def read_facts(text: str, name: str) -> dict[str, SourceFile]:
    """Return the files of a facts text by name, in the order they build on one another.

    ``name`` stands in messages. Raises FactsError naming the entry at fault.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise FactsError(f"not JSON: {error}", Position(name, line)) from None
    reader = _Reader(name)
    files = {
        file: reader.source(file, entry) for file, entry in reader.table(data, "the top").items()
    }
    rank = {file: number for number, file in enumerate(FILE_ORDER)}
    return {file: files[file] for file in sorted(files, key=lambda f: (rank.get(f, 99), f))}


class _Reader:
    """Turns JSON values into records, with the way to the value in every message."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, where: str, expected: str, found: object) -> NoReturn:
        shown = json.dumps(found)
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        raise FactsError(f"{self.name}: {where}: expected {expected}, found {shown}")

    def table(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(where, "an object", value)
        return value

    def rows(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            self.fail(where, "a list", value)
        return value

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            self.fail(where, "a name", value)
        return value

    def optional_text(self, entry: dict[str, Any], key: str, where: str) -> str | None:
        return self.text(entry[key], f"{where} {key}") if key in entry else None

    def number(self, value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(where, "a number", value)
        return value

    def number_or_name(self, value: Any, where: str) -> int | str:
        return value if isinstance(value, str) else self.number(value, where)

    def source(self, file: str, value: Any) -> SourceFile:
        """Return one file of the contract."""
        entry = self.table(value, file)

        def section(kind: str) -> dict[str, Any]:
            return self.table(entry.get(kind, {}), f"{file} {kind}")

        procedures = self.rows(entry.get("procedures", []), f"{file} procedures")
        return SourceFile(
            name=file,
            constants={
                name: Constant(name, self.number_or_name(v, f"{file} constant {name}"))
                for name, v in section("constants").items()
            },
            enums={n: self.enum(n, v, f"{file} enum {n}") for n, v in section("enums").items()},
            typedefs={
                name: Typedef(self.declaration(v, f"{file} typedef {name}", name))
                for name, v in section("typedefs").items()
            },
            structs={
                n: self.struct(n, v, f"{file} struct {n}") for n, v in section("structs").items()
            },
            unions={n: self.union(n, v, f"{file} union {n}") for n, v in section("unions").items()},
            procedures=tuple(
                self.procedure(v, f"{file} procedure #{row}") for row, v in enumerate(procedures)
            ),
        )

    def enum(self, name: str, value: Any, where: str) -> EnumDef:
        members = self.table(value, where)
        return EnumDef(name, {m: self.number(v, f"{where} {m}") for m, v in members.items()})

    def struct(self, name: str, value: Any, where: str) -> StructDef:
        rows = self.rows(value, where)
        return StructDef(name, tuple(self.declaration(row, where) for row in rows))

    def union(self, name: str, value: Any, where: str) -> UnionDef:
        entry = self.table(value, where)
        arms = []
        for row in self.rows(entry.get("arms"), f"{where} arms"):
            if not isinstance(row, list) or len(row) != 2:
                self.fail(f"{where} arms", "[label, declaration]", row)
            arms.append((self.text(row[0], f"{where} arms"), self.declaration(row[1], where)))
        return UnionDef(name, self.declaration(entry.get("on"), f"{where} on"), tuple(arms))

    def declaration(self, value: Any, where: str, name: str | None = None) -> Declaration:
        """Return a declaration; ``name`` is given where the table's key is the name."""
        entry = self.table(value, where)
        kind = self.text(entry.get("type"), f"{where} type")
        member = self.text(entry.get("name") if name is None else name, f"{where} name")
        if entry.get("optional"):
            return Declaration(member, kind, Shape.OPTIONAL)
        if "array" not in entry:
            return Declaration(member, kind)
        shape = _ARRAYS.get(self.text(entry["array"], f"{where} {member} array"))
        if shape is None:
            self.fail(f"{where} {member} array", '"fixed" or "variable"', entry["array"])
        limit = self.number_or_name(entry.get("limit"), f"{where} {member} limit")
        return Declaration(member, kind, shape, limit)

    def procedure(self, value: Any, where: str) -> ProcedureDef:
        entry = self.table(value, where)
        name = self.text(entry.get("name"), f"{where} name")
        annotations = self.table(entry.get("annotations", {}), f"{where} annotations")
        return ProcedureDef(
            name,
            self.number(entry.get("number"), f"{where} number"),
            {
                key: tuple(self.text(v, f"{where} @{key}") for v in self.rows(values, where))
                for key, values in annotations.items()
                if key not in IGNORED_ANNOTATIONS
            },
            args=self.optional_text(entry, "args", where),
            ret=self.optional_text(entry, "ret", where),
            msg=self.optional_text(entry, "msg", where),
        )
