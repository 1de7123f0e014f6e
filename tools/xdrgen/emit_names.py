"""Refuses names of the .x files that would mean two things in the generated code.

Two of them may become one name, or one may become a name that generated modules or Python itself
use for something else. Renaming would have to be undone wherever names of the contract are shown,
so that a person has to decide. Must not know: how code is printed.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence

from xdrgen.convention import is_procedure_enum, short_name
from xdrgen.emit_homes import Homes, Program
from xdrgen.emit_nodes import Types
from xdrgen.errors import XdrSemanticError
from xdrgen.model import Declaration, EnumDef, Position, StructDef
from xdrgen.naming import (
    constant_name,
    enum_constants,
    enum_members,
    field_fault,
    file_names,
)

__all__ = ["MODULE_NAMES", "PACKAGE_NAMES", "check_names"]

# What modules of messages import, define for themselves, or need of Python's own names.
MODULE_NAMES = frozenset(
    {
        "ABSENT",
        "Any",
        "AttributeError",
        "IntEnum",
        "Message",
        "PRESENT",
        "PROCEDURES",
        "Procedure",
        "ProcedureNumber",
        "RecordLayouts",
        "Self",
        "TYPE_CHECKING",
        "TypedParams",
        "annotations",
        "blank",
        "bytes",
        "check_count",
        "classmethod",
        "dict",
        "exactly",
        "float",
        "getattr",
        "globals",
        "int",
        "layout",
        "lazy_enum",
        "list",
        "over_limit",
        "pack_char_array",
        "pack_chars",
        "pack_fixed_list",
        "pack_list",
        "pack_numbers",
        "pack_opaque",
        "pack_optional",
        "pack_string",
        "pack_unsigned_char_array",
        "pack_unsigned_chars",
        "range",
        "signed_char",
        "signed_short",
        "sorted",
        "str",
        "tuple",
        "unknown_arm",
        "unknown_arm_to_pack",
        "unpack_messages",
        "unpack_numbers",
        "unpack_strings",
        "unpack_typed_params",
        "zip",
    }
)

# The same of the package that all modules are in.
PACKAGE_NAMES = frozenset(
    {
        "Any",
        "AttributeError",
        "Contract",
        "PROGRAMS",
        "Procedure",
        "TYPE_CHECKING",
        "UsageError",
        "annotations",
        "contract",
        "dict",
        "find_procedure",
        "getattr",
        "globals",
        "import_module",
        "int",
        "load_contract",
        "procedure_name",
        "set_contract_loader",
        "set_secret_parameters",
        "since",
        "sorted",
        "str",
        "tuple",
    }
)

Found = tuple[str, str, Position | None]


def check_names(programs: Sequence[Program], types: Types, homes: Homes) -> None:
    """Raise XdrSemanticError, with file and line, at the first name that cannot be used."""
    sources: dict[str, str] = {}
    for program in programs:
        source = program.source.name
        if not _usable(program.name) or program.name in PACKAGE_NAMES:
            raise XdrSemanticError(f"{source}: {program.name} cannot be the name of its module")
        if program.name in sources:
            message = f"{source} and {sources[program.name]} would both be {program.name}"
            raise XdrSemanticError(f"{source}: {message}")
        sources[program.name] = source
        _check_program(program, types, homes)
        for struct in program.source.structs.values():
            _check_fields(struct)
        for enum in program.source.enums.values():
            _check_members(enum)


def _check_program(program: Program, types: Types, homes: Homes) -> None:
    taken = MODULE_NAMES
    if program.is_package:
        taken = taken | {"procedures", *(module.group for module in program.modules.values())}
    seen: dict[str, str] = dict(_imported(program, types, homes))
    for name, origin, position in _defined(program, homes):
        place = "" if position else f"{program.source.name}: "
        if not _usable(name):
            message = f"{place}{origin} would be '{name}', which is no name"
            raise XdrSemanticError(message, position)
        if name in taken:
            message = f"{place}{origin} would be {name}, which generated modules use themselves"
            raise XdrSemanticError(message, position)
        if name in seen:
            message = f"{place}{seen[name]} and {origin} would both be {name}"
            raise XdrSemanticError(message, position)
        seen[name] = origin


def _defined(program: Program, homes: Homes) -> Iterator[Found]:
    """Yield what a program's modules define: the name, the one in the .x file, and where."""
    source = program.source
    prefix = file_names(source.name).constants
    for constant in source.constants.values():
        yield constant_name(constant.name, prefix), constant.name, constant.position
    for enum in source.enums.values():
        if not is_procedure_enum(enum.name):
            yield homes[enum.name].name, enum.name, enum.position
            for name in enum_constants(homes[enum.name].name, enum.members):
                yield name, f"a member of {enum.name}", enum.position
    for struct in source.structs.values():
        yield homes[struct.name].name, struct.name, struct.position
    for union in source.unions.values():
        yield homes[union.name].name, union.name, union.position
    for procedure in source.procedures:
        yield short_name(procedure.name), procedure.name, procedure.position


def _imported(program: Program, types: Types, homes: Homes) -> Mapping[str, str]:
    """Return the classes of other programs that a program's fields hold, with their .x names."""
    source = program.source
    declarations = [member for struct in source.structs.values() for member in struct.members]
    declarations += [arm for union in source.unions.values() for _, arm in union.arms]
    found: dict[str, str] = {}
    for declaration in declarations:
        name = _held(declaration, types)
        if name in types.structs or name in types.unions:
            home = homes[name]
            if home.module.partition(".")[0] != program.name:
                if found.get(home.name, name) != name:
                    message = f"{found[home.name]} and {name} would both be {home.name}"
                    raise XdrSemanticError(message, declaration.position)
                found[home.name] = name
    return found


def _held(declaration: Declaration, types: Types) -> str:
    """Return the type at the end of a declaration's typedefs, which are known not to circle."""
    name = declaration.type
    while name in types.typedefs:
        name = types.typedefs[name].declaration.type
    return name


def _check_fields(struct: StructDef) -> None:
    for member in struct.members:
        fault = field_fault(member.name)
        if fault is not None:
            message = f"member {member.name} of struct {struct.name} {fault}"
            raise XdrSemanticError(message, member.position or struct.position)


def _check_members(enum: EnumDef) -> None:
    names = enum_members(enum.members)
    if len(names) != len(enum.members):
        message = f"enum {enum.name} has two members that lose what tells them apart"
        raise XdrSemanticError(message, enum.position)
    for name in names:
        if not _usable(name) or name == "mro":
            message = f"a member of {enum.name} would be '{name}', which no enum can have"
            raise XdrSemanticError(message, enum.position)


def _usable(name: str) -> bool:
    """Tell whether Python takes a name, and generated modules keep none like it to themselves."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
