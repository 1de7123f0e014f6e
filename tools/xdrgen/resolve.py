"""Binds procedures to their message structs and judges whether files make up a contract.

Every name must be declared once, every limit a number, every type of bounded depth. Reads no text
and prints no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NoReturn

from xdrgen.convention import (
    MESSAGE_ROLES,
    is_procedure_enum,
    message_key,
    message_name,
    program_name,
)
from xdrgen.errors import XdrSemanticError
from xdrgen.model import (
    Contract,
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

__all__ = ["BUILT_IN_TYPES", "Definition", "Names", "bind_procedures", "check"]

_INTEGERS = ("char", "short", "int", "hyper")
BUILT_IN_TYPES = frozenset(
    {*_INTEGERS, *(f"unsigned {name}" for name in _INTEGERS), "double", "string", "opaque"}
)

Definition = Typedef | StructDef | UnionDef | EnumDef

_MAX_COUNT = 2**32 - 1
# More than any contract needs, and far from what Python's stack can take.
_MAX_DEPTH = 100


def bind_procedures(source: SourceFile) -> SourceFile:
    """Return the file with every procedure's ``args``, ``ret`` and ``msg`` found by name."""
    enum = _procedure_enum(source)
    if enum is None:
        return source

    structs = {message_key(enum.name, name): name for name in source.structs}

    def bound(procedure: ProcedureDef) -> ProcedureDef:
        names = (message_name(enum.name, procedure.name, role) for role in MESSAGE_ROLES)
        args, ret, msg = (structs.get(message_key(enum.name, name)) for name in names)
        return replace(procedure, args=args, ret=ret, msg=msg)

    return replace(source, procedures=tuple(bound(p) for p in source.procedures))


def check(contract: Contract, *, partial: bool = False) -> None:
    """Raise XdrSemanticError at the first thing that keeps the files from being a contract.

    ``partial`` is for a file without those it builds on: names that it does not declare pass.
    """
    names = Names(contract)
    for source in contract.files.values():
        _Check(source, names, partial).run()


class Names:
    """What every name of a contract stands for, whichever file declares it.

    Raises XdrSemanticError when built from files that declare a name twice.
    """

    def __init__(self, contract: Contract) -> None:
        self.constants: dict[str, int | str] = dict(contract.externals)
        self.types: dict[str, Definition] = {}
        self._places: dict[str, str] = {}
        for source in contract.files.values():
            self._add(source)

    def _add(self, source: SourceFile) -> None:
        for name, constant in source.constants.items():
            self._declare(source, name, constant.position)
            self.constants[name] = constant.value
        tables: tuple[Mapping[str, Definition], ...]
        tables = (source.typedefs, source.structs, source.unions, source.enums)
        for table in tables:
            for name, definition in table.items():
                self._declare(source, name, _position(definition))
                self.types[name] = definition
        for enum in source.enums.values():
            for name, value in enum.members.items():
                self._declare(source, name, enum.position)
                self.constants[name] = value

    def _declare(self, source: SourceFile, name: str, position: Position | None) -> None:
        place = str(position or source.name)
        if name in self._places:
            _fail(source, position, "a name that is still free", name, self._places[name])
        self._places[name] = place

    def value(self, constant: int | str) -> int:
        """Return the number behind a constant; KeyError where there is none."""
        seen: list[str] = []
        while isinstance(constant, str):
            if constant in seen:
                raise KeyError(constant)
            seen.append(constant)
            constant = self.constants[constant]
        return constant

    def limit(self, declaration: Declaration) -> int | None:
        """Return a declaration's length or limit as a number, None where it has none."""
        return None if declaration.limit is None else self.value(declaration.limit)


def _procedure_enum(source: SourceFile) -> EnumDef | None:
    return next((enum for enum in source.enums.values() if is_procedure_enum(enum.name)), None)


def _position(definition: Definition) -> Position | None:
    if isinstance(definition, Typedef):
        return definition.declaration.position
    return definition.position


def _fail(
    source: SourceFile,
    position: Position | None,
    expected: str,
    found: object,
    declared: str | None = None,
) -> NoReturn:
    """Raise with the place; facts have no lines, so the file has to do."""
    place = "" if position else f"{source.name}: "
    after = f", declared at {declared}" if declared else ""
    shown = f"'{found}'" if isinstance(found, str) else str(found)
    raise XdrSemanticError(f"{place}expected {expected}, found {shown}{after}", position)


def _members(definition: Definition) -> Iterator[Declaration]:
    match definition:
        case Typedef(declaration=declaration):
            yield declaration
        case StructDef(members=members):
            yield from members
        case UnionDef(arms=arms):
            yield from (arm for _, arm in arms)


class _Check:
    """The judgement of one file among the names of all."""

    def __init__(self, source: SourceFile, names: Names, partial: bool) -> None:
        self.source = source
        self.names = names
        self.partial = partial

    def fail(self, position: Position | None, expected: str, found: object) -> NoReturn:
        _fail(self.source, position, expected, found)

    def run(self) -> None:
        source = self.source
        for constant in source.constants.values():
            self.number(constant.value, constant.position)
        for enum in source.enums.values():
            self.enum(enum)
        for table in (source.typedefs, source.structs, source.unions):
            for definition in table.values():
                for declaration in _members(definition):
                    self.declaration(declaration)
        for union in source.unions.values():
            self.union(union)
        self.recursion()
        enumeration = _procedure_enum(source)
        self.procedures()
        if enumeration is not None and enumeration.name.endswith("_procedure"):
            self.program(enumeration)
            self.orphans(enumeration)

    def number(self, value: int | str, position: Position | None) -> int | None:
        """Return what a constant amounts to; None where another file has to say."""
        try:
            number = self.names.value(value)
        except KeyError:
            if self.partial:
                return None
            self.fail(position, "a constant that is declared", value)
        if not -(2**31) <= number <= _MAX_COUNT:
            self.fail(position, "a number of 32 bits", number)
        return number

    def enum(self, enum: EnumDef) -> None:
        taken: dict[int, str] = {}
        for name, value in enum.members.items():
            if not -(2**31) <= value < 2**31:
                self.fail(enum.position, f"a signed number of 32 bits for {name}", value)
            if value in taken:
                self.fail(
                    self.enumerator_position(name) or enum.position,
                    f"a number for {name} that {taken[value]} has not",
                    value,
                )
            taken[value] = name

    def enumerator_position(self, name: str) -> Position | None:
        return next((p.position for p in self.source.procedures if p.name == name), None)

    def declaration(self, declaration: Declaration) -> None:
        position, name = declaration.position, declaration.type
        if name not in BUILT_IN_TYPES and name not in self.names.types and not self.partial:
            self.fail(position, "a type that is declared", name)
        if declaration.limit is not None:
            limit = self.number(declaration.limit, position)
            if limit is not None and limit < 1:
                self.fail(position, f"a length of at least 1 for {declaration.name}", limit)
        elif declaration.shape in (Shape.FIXED, Shape.VARIABLE):
            self.fail(position, f"a limit for {declaration.name}", "none")

    def union(self, union: UnionDef) -> None:
        kind = union.discriminant.type
        enum = self.names.types.get(kind)
        if kind != "int" and not isinstance(enum, EnumDef):
            self.fail(union.discriminant.position, "int or an enum to switch on", kind)
        taken: dict[int, str] = {}
        for label, arm in union.arms:
            if isinstance(enum, EnumDef) and label not in enum.members:
                self.fail(arm.position, f"an enumerator of {enum.name} as label", label)
            value = self.number(label, arm.position)
            if value is not None and value in taken:
                self.fail(arm.position, f"a label other than {taken[value]} for {value}", label)
            if value is not None:
                taken[value] = label

    def recursion(self) -> None:
        """Fail at a type that holds itself, be it through an optional or an array."""
        depths: dict[str, int] = {}
        for table in (self.source.typedefs, self.source.structs, self.source.unions):
            for name in table:
                self.depth(name, [], depths)

    def depth(self, name: str, path: list[str], depths: dict[str, int]) -> int:
        """Return how many types deep a type is nested, noting it in ``depths``."""
        definition = self.names.types.get(name)
        if definition is None or name in depths:
            return depths.get(name, 0)
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            self.fail(_position(definition), "a type that does not hold itself", circle)
        inner = max(
            (
                self.depth(member.type, [*path, name], depths)
                for member in (_members(definition) if len(path) <= _MAX_DEPTH else ())
            ),
            default=0,
        )
        depths[name] = inner + 1
        if max(len(path), inner) >= _MAX_DEPTH:
            expected = f"types nested {_MAX_DEPTH} deep at most"
            self.fail(_position(definition), expected, f"{(path or [name])[0]} and more")
        return inner + 1

    def program(self, enum: EnumDef) -> None:
        """Check that the numbers of the program stand beside its procedures."""
        program = program_name(enum.name).upper()
        for constant in (f"{program}_PROGRAM", f"{program}_PROTOCOL_VERSION"):
            if constant not in self.source.constants:
                self.fail(enum.position, f"const {constant} beside enum {enum.name}", "none")

    def procedures(self) -> None:
        for procedure in self.source.procedures:
            position, annotations = procedure.position, procedure.annotations
            if procedure.number < 1:
                self.fail(position, f"a number from 1 for {procedure.name}", procedure.number)
            if procedure.msg and (procedure.args or procedure.ret):
                found = procedure.args or procedure.ret
                self.fail(position, f"no struct beside {procedure.msg} of an event", found)
            for value in annotations.get("priority", ()):
                if value not in ("high", "low"):
                    self.fail(position, "@priority high or low", value)
            for key in ("readstream", "writestream"):
                for value in annotations.get(key, ()):
                    if not value.isdecimal():
                        self.fail(position, f"the number of an argument for @{key}", value)

    def orphans(self, enum: EnumDef) -> None:
        """Fail at a struct that is named like a message but has no procedure."""
        prefix = program_name(enum.name) + "_"
        messages = {name for p in self.source.procedures for name in (p.args, p.ret, p.msg)}
        endings = tuple(f"_{role}" for role in MESSAGE_ROLES)
        for struct in self.source.structs.values():
            named_so = struct.name.startswith(prefix) and struct.name.endswith(endings)
            if named_so and struct.name not in messages:
                self.fail(struct.position, "a struct that belongs to a procedure", struct.name)
