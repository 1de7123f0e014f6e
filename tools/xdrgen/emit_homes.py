"""Decides which module every struct, union, enum and procedure of the contract lives in.

Responsible for: the map from names of the .x files to modules and classes.
Must not know: their text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdrgen.convention import is_procedure_enum, short_name
from xdrgen.model import Contract, EnumDef, ProcedureDef, SourceFile
from xdrgen.naming import class_name, file_names, group_name, shouting

__all__ = ["Home", "Homes", "Module", "Program"]

# A program with more procedures than this is a package, with a module for each kind of object.
_ONE_MODULE = 100
_TYPES = "types"


@dataclass(frozen=True)
class Home:
    """Where a type lives: a module below virtproto.wire, and the class's name there."""

    module: str
    name: str


@dataclass
class Module:
    """One module to be printed: what it holds, by the names of the .x files, in order.

    ``contents`` has the name of a struct, union or enum, or a procedure.
    """

    path: str
    source: SourceFile
    group: str
    contents: list[str | ProcedureDef] = field(default_factory=list)

    @property
    def procedures(self) -> list[ProcedureDef]:
        return [item for item in self.contents if isinstance(item, ProcedureDef)]


@dataclass
class Program:
    """What one .x file becomes: a module, or a package of them."""

    name: str
    source: SourceFile
    modules: dict[str, Module] = field(default_factory=dict)

    @property
    def is_package(self) -> bool:
        return len(self.source.procedures) > _ONE_MODULE

    @property
    def procedure_enum(self) -> EnumDef | None:
        found = [enum for enum in self.source.enums.values() if is_procedure_enum(enum.name)]
        return found[0] if found else None

    @property
    def has_messages(self) -> bool:
        return bool(self.source.structs or self.source.unions)


class Homes:
    """The modules of all programs, and the home of every type."""

    def __init__(self, contract: Contract) -> None:
        self.programs: list[Program] = []
        self._homes: dict[str, Home] = {}
        for source in contract.files.values():
            names = file_names(source.name)
            program = Program(names.module, source)
            for item, group in _grouped(program):
                self._place(program, group, item, names.types)
            program.modules = dict(sorted(program.modules.items()))
            if not program.modules:
                path = program.name
                program.modules[path] = Module(path, source, "")
            self.programs.append(program)

    def __getitem__(self, name: str) -> Home:
        return self._homes[name]

    def _place(self, program: Program, group: str, item: str | ProcedureDef, prefix: str) -> None:
        path = f"{program.name}.{group}" if program.is_package else program.name
        module = program.modules.get(path)
        if module is None:
            module = program.modules[path] = Module(path, program.source, group)
        module.contents.append(item)
        if isinstance(item, str):
            self._homes[item] = Home(path, class_name(item, prefix))


def _grouped(program: Program) -> Iterator[tuple[str | ProcedureDef, str]]:
    """Yield all that a program's modules hold with its group: messages before their procedure."""
    source = program.source
    homed: set[str] = set()
    grouped: list[tuple[str | ProcedureDef, str]] = []
    for procedure in source.procedures if source.structs else ():
        group = group_name(short_name(procedure.name))
        for message in (procedure.args, procedure.ret, procedure.msg):
            if message is not None and message in source.structs and message not in homed:
                homed.add(message)
                grouped.append((message, group))
        grouped.append((procedure, group))
    prefix = file_names(source.name).types
    for enum in source.enums:
        if not is_procedure_enum(enum):
            yield enum, _enum_group(class_name(enum, prefix), {group for _, group in grouped})
    for name in (*source.structs, *source.unions):
        if name not in homed:
            yield name, _TYPES
    yield from grouped


def _enum_group(enum_class: str, groups: set[str]) -> str:
    group = group_name(shouting(enum_class))
    return group if group in groups else _TYPES
