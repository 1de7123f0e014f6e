"""Turns a contract into the modules of virtproto/wire.

Responsible for: which modules there are. What each says is printed by the other emit_* modules.
Deterministic: the same contract and extras give the same text, on any Python.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from xdrgen.emit_homes import Homes, Program
from xdrgen.emit_module import ModulePrinter
from xdrgen.emit_names import check_names
from xdrgen.emit_nodes import Types
from xdrgen.emit_tables import (
    print_constants_module,
    print_contract,
    print_package,
    print_procedures,
    print_root,
    print_since,
)
from xdrgen.model import Contract

__all__ = ["Extras", "emit"]


@dataclass(frozen=True)
class Extras:
    """What the .x files do not say.

    ``since`` is the first libvirt release by program name and procedure number; ``secret_fields``
    the members of structs (by their .x names) whose values must never be shown, and
    ``secret_parameters`` the typed parameters of which the same is true, in any struct. ``urgent``
    names, by program, procedures that go before long calls.
    """

    since: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    secret_fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    secret_parameters: Sequence[str] = ()
    urgent: Mapping[str, Collection[str]] = field(default_factory=dict)


def emit(contract: Contract, extras: Extras) -> dict[str, str]:
    """Return the text of every module by its path relative to virtproto/wire.

    Raise XdrSemanticError where the contract cannot become code.
    """
    types = Types(contract)
    homes = Homes(contract)
    check_names(homes.programs, types, homes)
    printer = ModulePrinter(types, homes, extras.secret_fields, extras.urgent)
    parameters = tuple(sorted(set(extras.secret_parameters)))
    files = {
        "__init__.py": print_root(homes.programs, types, parameters),
        "contract.py": print_contract(contract, types, extras.secret_fields, parameters),
        "since.py": print_since(extras.since),
    }
    for program in homes.programs:
        files |= _program(program, types, printer)
    return dict(sorted(files.items()))


def _program(program: Program, types: Types, printer: ModulePrinter) -> dict[str, str]:
    if not program.has_messages:
        return {f"{program.name}.py": print_constants_module(program, types)}
    files: dict[str, str] = {}
    contents: dict[str, list[str]] = {}
    for module in program.modules.values():
        files[f"{module.path.replace('.', '/')}.py"] = printer.module(program, module)
        contents[module.group] = printer.public(program, module)
    if program.is_package:
        contents["procedures"] = ["PROCEDURES", "ProcedureNumber"]
        files[f"{program.name}/__init__.py"] = print_package(program, types, contents)
        files[f"{program.name}/procedures.py"] = print_procedures(program)
    return files
