"""The parsed contract: what the .x files say, as plain records.

Every pass of the generator takes and returns these. Nothing here reads files or prints code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Shape(Enum):
    """How a declaration multiplies its base type."""

    SCALAR = "scalar"  # T name;
    FIXED = "fixed"  # T name[N];
    VARIABLE = "variable"  # T name<N>;
    OPTIONAL = "optional"  # T *name;


@dataclass(frozen=True)
class Position:
    """Where something stands in its source, for messages."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Remark:
    """Something that was read over, for a person to look at; ``str()`` is one line."""

    message: str
    position: Position

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


@dataclass(frozen=True)
class Declaration:
    """A member of a struct, an arm of a union, or the body of a typedef.

    ``type`` is an XDR type in canonical spelling ("int", "unsigned int", "hyper", "unsigned hyper",
    "char", "unsigned char", "short", "unsigned short", "double", "string", "opaque") or the name of
    a struct, union, enum or typedef. ``limit`` is a number, the name of a constant, or None.
    """

    name: str
    type: str
    shape: Shape = Shape.SCALAR
    limit: int | str | None = None
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Constant:
    """``const NAME = value;`` where value is a number or another constant's name."""

    name: str
    value: int | str
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class EnumDef:
    """An enum; ``members`` keeps the order of the source."""

    name: str
    members: Mapping[str, int]
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Typedef:
    """``typedef T name...;`` as a declaration."""

    declaration: Declaration

    @property
    def name(self) -> str:
        return self.declaration.name


@dataclass(frozen=True)
class StructDef:
    """A struct and its members in wire order."""

    name: str
    members: tuple[Declaration, ...]
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class UnionDef:
    """A discriminated union; ``arms`` maps a case label (a constant's name) to its declaration."""

    name: str
    discriminant: Declaration
    arms: tuple[tuple[str, Declaration], ...]
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ProcedureDef:
    """One enumerator of a ``*_procedure`` enum with what its comment annotates.

    ``args``, ``ret`` and ``msg`` are struct names where the convention finds such a struct (a
    procedure with a ``msg`` is an event). ``annotations`` keeps each @key with its values in order,
    for the keys priority, readstream, writestream, sparseflag, acl, aclfilter.
    """

    name: str
    number: int
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    args: str | None = None
    ret: str | None = None
    msg: str | None = None
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class SourceFile:
    """All declarations of one .x file, each table in source order.

    ``remarks`` tells what of the source is in none of them.
    """

    name: str
    constants: Mapping[str, Constant] = field(default_factory=dict)
    enums: Mapping[str, EnumDef] = field(default_factory=dict)
    typedefs: Mapping[str, Typedef] = field(default_factory=dict)
    structs: Mapping[str, StructDef] = field(default_factory=dict)
    unions: Mapping[str, UnionDef] = field(default_factory=dict)
    procedures: tuple[ProcedureDef, ...] = ()
    remarks: tuple[Remark, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Contract:
    """The whole wire contract: every .x file by name, in the order they build on one another."""

    files: Mapping[str, SourceFile]
    externals: Mapping[str, int] = field(default_factory=dict)
