"""Prints the modules that hold tables instead of classes.

The contract for the reference codec, the first releases, a large program's list of procedures, and
the packages that find every name. Must not know: how a message is packed or unpacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdrgen.convention import is_procedure_enum, short_name
from xdrgen.emit_homes import Program
from xdrgen.emit_module import (
    PACKAGE,
    PROCEDURE_ENUM,
    banner,
    constants,
    lazy_enums,
    procedure_enum,
)
from xdrgen.emit_nodes import Types
from xdrgen.emit_text import Bracket, Pair, Part, render, text, words
from xdrgen.model import Contract, Declaration, ProcedureDef
from xdrgen.naming import class_name, enum_constants, file_names

__all__ = [
    "print_constants_module",
    "print_contract",
    "print_package",
    "print_procedures",
    "print_root",
    "print_since",
]

_PROGRAM_ROWS = "dict[str, tuple[int, int, tuple[tuple[Any, ...], ...]]]"
_CHECKING = ["TYPE_CHECKING = False", "if TYPE_CHECKING:"]
_FUTURE = ["", "from __future__ import annotations", ""]


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def print_contract(
    contract: Contract,
    types: Types,
    secrets: Mapping[str, Sequence[str]],
    secret_parameters: tuple[str, ...],
) -> str:
    """Return wire/contract.py: every type, constant and procedure as data."""
    lines = [
        banner(list(contract.files)),
        '"""The wire contract as tables, for the codec that walks it and for finding faults."""',
        *_FUTURE,
        *_CHECKING,
        "    from typing import Any",
        "",
        "# Name: number.",
        *render(text(_numbers(contract, types)), 0, "CONSTANTS: dict[str, int] = "),
        "",
        "# Name: kind and parts; a part is (name, type, shape, limit), behind its case in a union.",
        *render(_types(contract, types), 0, "TYPES: dict[str, tuple[Any, ...]] = "),
        "",
        "# Program: number, version and procedures: (number, name, args, ret, event, annotations).",
        *render(_programs(contract, types), 0, f"PROGRAMS: {_PROGRAM_ROWS} = "),
        "",
        "# Struct: fields whose values are never shown.",
        *render(
            text({name: tuple(fields) for name, fields in sorted(secrets.items())}),
            0,
            "SECRETS: dict[str, tuple[str, ...]] = ",
        ),
        "",
        "# Typed parameters whose values are never shown.",
        *render(text(secret_parameters), 0, "SECRET_PARAMETERS: tuple[str, ...] = "),
    ]
    return _joined(lines)


def _numbers(contract: Contract, types: Types) -> dict[str, int]:
    numbers = {name: types.constant(value) for name, value in contract.externals.items()}
    for source in contract.files.values():
        numbers |= {c.name: types.constant(c.value) for c in source.constants.values()}
    return numbers


def _types(contract: Contract, types: Types) -> Part:
    rows: list[Part] = []
    for source in contract.files.values():
        for typedef in source.typedefs.values():
            rows.append(Pair(f'"{typedef.name}"', _typedef(typedef.declaration, types)))
        for enum in source.enums.values():
            if not is_procedure_enum(enum.name):
                rows.append(Pair(f'"{enum.name}"', text(("enum", dict(enum.members)))))
        for struct in source.structs.values():
            members = tuple(_row(member, types) for member in struct.members)
            rows.append(Pair(f'"{struct.name}"', text(("struct", members))))
        for union in source.unions.values():
            arms = tuple((types.constant(case), *_row(arm, types)) for case, arm in union.arms)
            on = (union.discriminant.name, union.discriminant.type)
            rows.append(Pair(f'"{union.name}"', text(("union", on, arms))))
    return Bracket("{", tuple(rows), "}")


def _typedef(declaration: Declaration, types: Types) -> Part:
    return text(("typedef", *_row(declaration, types)[1:]))


def _row(declaration: Declaration, types: Types) -> tuple[str, str, str, int | None]:
    limit = None if declaration.limit is None else types.constant(declaration.limit)
    return declaration.name, declaration.type, declaration.shape.value, limit


def _programs(contract: Contract, types: Types) -> Part:
    programs: list[Part] = []
    for source in contract.files.values():
        names = file_names(source.name)
        number, version = f"{names.constants}PROGRAM", f"{names.constants}PROTOCOL_VERSION"
        if number in source.constants:
            rows = tuple(text(_procedure_row(procedure)) for procedure in source.procedures)
            table = Bracket("(", rows, ")", comma=len(rows) == 1)
            numbers = (_hexadecimal(types.constant(number)), str(types.constant(version)))
            programs.append(Pair(f'"{names.module}"', Bracket("(", (*numbers, table), ")")))
    return Bracket("{", tuple(programs), "}")


def _hexadecimal(number: int) -> str:
    return f"0x{number:X}"


def _procedure_row(procedure: ProcedureDef) -> tuple[object, ...]:
    notes = {key: tuple(values) for key, values in procedure.annotations.items()}
    short = short_name(procedure.name)
    return procedure.number, short, procedure.args, procedure.ret, procedure.msg, notes


def print_since(since: Mapping[str, Mapping[int, str]]) -> str:
    """Return wire/since.py: the libvirt release that brought each procedure."""
    lines = [
        "# Generated by tools/gen_xdr.py from protocol_defs/since.toml; do not edit.",
        '"""The first libvirt release of each procedure, by program and number."""',
        *_FUTURE,
    ]
    tables = {name: dict(sorted(releases.items())) for name, releases in since.items()}
    return _joined([*lines, *render(text(tables), 0, "SINCE: dict[str, dict[int, str]] = ")])


def print_constants_module(program: Program, types: Types) -> str:
    """Return a program without messages: its constants, and its procedures' numbers as such."""
    names = file_names(program.source.name)
    lines = [
        banner([program.source.name]),
        f'"""Numbers of {program.source.name}, whose packets have no payload."""',
        *_FUTURE,
        *constants(types, program.source.constants, names.constants),
    ]
    if program.source.procedures:
        lines.append("")
        lines += [f"{short_name(p.name)} = {p.number}" for p in program.source.procedures]
    for enum in program.source.enums.values():
        if not is_procedure_enum(enum.name):
            members = enum_constants(class_name(enum.name, names.types), enum.members)
            lines += ["", *(f"{name} = {value}" for name, value in members.items())]
    return _joined(lines)


def print_procedures(program: Program) -> str:
    """Return the list of a large program's procedures, which tells the module that has each."""
    rows: dict[int, tuple[str, str]] = {}
    for module in program.modules.values():
        for procedure in module.procedures:
            rows[procedure.number] = (short_name(procedure.name), module.path)
    lines = [
        banner([program.source.name]),
        f'"""The procedures of program {program.name}: numbers, and the modules that have them."""',
        *_FUTURE,
        "from virtproto.xdr.runtime import lazy_enum",
        "",
        *_CHECKING,
        "    from enum import IntEnum",
        *procedure_enum(program),
        "",
        "",
        "# Number and module of each procedure.",
        "PROCEDURES: dict[str, tuple[int, str]] = {",
        *(f'    "{name}": ({number}, "{path}"),' for number, (name, path) in rows.items()),
        "}",
        "",
        "",
        *lazy_enums({PROCEDURE_ENUM: "{name: row[0] for name, row in PROCEDURES.items()}"}),
    ]
    return _joined(lines)


def print_package(program: Program, types: Types, contents: Mapping[str, Sequence[str]]) -> str:
    """Return the package of a large program; ``contents`` gives the public names of each module."""
    names = file_names(program.source.name)
    lines = [
        banner([program.source.name]),
        f'"""Program {program.name}: every message class and procedure, loaded when first used."""',
        *_FUTURE,
        "from sys import modules as _modules",
        "",
        *_CHECKING,
    ]
    for module in sorted(contents):
        lines.append(f"    from {PACKAGE}.{program.name}.{module} import *  # noqa: F403")
    lines += ["", *constants(types, program.source.constants, names.constants)]
    lines += ["", "# The module that has each name.", "_NAMES = {"]
    for module, public in contents.items():
        lines += words(public, 1, f'"{module}": ', ",")
    return _joined([*lines, "}", "", "", *_PACKAGE_LOOKUP])


_PACKAGE_LOOKUP = """\
if not TYPE_CHECKING:

    def __getattr__(name):
        if name == "__all__":
            return [word for word in __dir__() if not word.startswith("_")]
        for module, names in _NAMES.items():
            if name == module or name in names.split():
                # Without importlib, which would be one more module to load.
                __import__(f"{__name__}.{module}")
                loaded = _modules[f"{__name__}.{module}"]
                value = loaded if name == module else getattr(loaded, name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        lazy = [word for names in _NAMES.values() for word in names.split()]
        return sorted({*globals(), *_NAMES, *lazy})""".splitlines()


def print_root(
    programs: Sequence[Program], types: Types, secret_parameters: tuple[str, ...]
) -> str:
    """Return wire/__init__.py: submodules by name, and the door to any procedure."""
    modules = sorted({*(program.name for program in programs), "contract", "since"})
    lines = [
        banner([program.source.name for program in programs]),
        '"""Every message of libvirt\'s RPC protocol; submodules are loaded when first used."""',
        *_FUTURE,
        "from sys import modules as _modules",
        "",
        "from virtproto.errors import UsageError",
        "from virtproto.xdr.message import set_contract_loader",
        "from virtproto.xdr.typedparams import set_secret_parameters",
        "",
        *_CHECKING,
        "    from typing import Any",
        "",
        *(f"    from {PACKAGE} import {module} as {module}" for module in modules),
        "    from virtproto.xdr.contract import Contract",
        "    from virtproto.xdr.procedure import Procedure",
        "",
        *_program_tables(programs, types),
        "",
        *render(text(tuple(modules)), 0, "_SUBMODULES = "),
        "",
        "# Typed parameters whose values are never shown.",
        *render(text(secret_parameters), 0, "_SECRET_PARAMETERS: tuple[str, ...] = "),
        "",
        "",
    ]
    return _joined([*lines, *_ROOT_FUNCTIONS])


def _program_tables(programs: Sequence[Program], types: Types) -> list[str]:
    numbers: list[Part] = []
    tables: dict[str, str] = {}
    for program in programs:
        constant = f"{file_names(program.source.name).constants}PROGRAM"
        if constant in types.constants:
            numbers.append(Pair(f'"{program.name}"', _hexadecimal(types.constant(constant))))
        if program.has_messages and program.source.procedures:
            tables[program.name] = (
                f"{program.name}.procedures" if program.is_package else program.name
            )
    return [
        "# Number of each program.",
        *render(Bracket("{", tuple(numbers), "}"), 0, "PROGRAMS: dict[str, int] = "),
        "",
        "# The module that lists the procedures of a program.",
        *render(text(tables), 0, "_TABLES: dict[str, str] = "),
    ]


_ROOT_FUNCTIONS = '''\
def find_procedure(program: str | int, key: str | int) -> Procedure[Any, Any]:
    """Return a procedure of a program (its name or number) by the procedure's name or number.

    Raise UsageError, with names that come near, if there is none.
    """
    from importlib import import_module

    from virtproto.xdr.procedure import procedure_name

    for name, path in _TABLES.items():
        if program in (name, PROGRAMS[name]):
            table = import_module(f"{__name__}.{path}").PROCEDURES
            found = procedure_name(name, table, key)
            procedure: Procedure[Any, Any] = getattr(
                import_module(f"{__name__}.{table[found][1]}"), found
            )
            return procedure
    raise UsageError(f"there is no program {program!r}; there are {', '.join(_TABLES)}")


def load_contract() -> Contract:
    """Return the whole contract, for the reference codec; loading it takes some milliseconds."""
    global _contract
    if _contract is None:
        from virtproto.wire import contract
        from virtproto.xdr.contract import Contract

        _contract = Contract.from_tables(contract)
    return _contract


_contract: Contract | None = None
set_contract_loader(load_contract)
set_secret_parameters(_SECRET_PARAMETERS)


if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _SUBMODULES:
            # Without importlib, which would be one more module to load.
            __import__(f"{__name__}.{name}")
            return _modules[f"{__name__}.{name}"]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *_SUBMODULES})'''.splitlines()
