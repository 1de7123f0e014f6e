"""Finds and reads a contract, in whatever form a path holds it.

A facts file (JSON), one .x file, a folder of .x files, or a libvirt source tree. Knows where the
files live; reading them is left to lexer, parser and facts, judging them to resolve.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdrgen.convention import EXTERNALS_FILE, FILE_ORDER
from xdrgen.errors import ContractError
from xdrgen.facts import read_facts
from xdrgen.model import Contract, SourceFile
from xdrgen.parser import parse
from xdrgen.reading import read_text
from xdrgen.resolve import Names, bind_procedures, check

__all__ = ["PROTOCOL_DEFS", "is_source_tree", "load_contract"]

PROTOCOL_DEFS = Path(__file__).resolve().parents[2] / "protocol_defs"

# Where libvirt keeps the files of the contract; its other .x files speak to its own helpers.
_TREE = {
    "virnetprotocol.x": "src/rpc",
    "virkeepaliveprotocol.x": "src/rpc",
    "remote_protocol.x": "src/remote",
    "qemu_protocol.x": "src/remote",
    "lxc_protocol.x": "src/remote",
    "admin_protocol.x": "src/admin",
}


def load_contract(path: Path) -> Contract:
    """Return the contract that ``path`` holds, bound and checked.

    A single .x file may use names that it does not declare; anything else must be complete. Raises
    ContractError naming file, line and what was expected; OSError where reading fails.
    """
    if path.is_dir():
        contract = _load_folder(path)
    elif path.suffix == ".json":
        contract = Contract(read_facts(_read(path), str(path)), _externals(PROTOCOL_DEFS))
    elif path.suffix == ".x":
        source = _load_source(path)
        contract = Contract({source.name: source}, _externals(path.parent))
        check(contract, partial=True)
        return contract
    elif path.exists():
        raise ContractError(f"{path}: expected a .x file, a facts file (.json) or a folder")
    else:
        raise ContractError(f"{path}: expected a file or folder, found nothing")
    check(contract)
    return contract


def is_source_tree(path: Path) -> bool:
    """Tell whether a folder is a libvirt source tree."""
    return (path / "src" / "remote" / "remote_protocol.x").is_file()


def _load_folder(path: Path) -> Contract:
    if is_source_tree(path):
        found = [path / folder / name for name, folder in _TREE.items()]
        missing = [file for file in found if not file.is_file()]
        if missing:
            raise ContractError(f"{missing[0]}: expected a part of the contract, found nothing")
        return Contract(_load_sources(found), _externals(PROTOCOL_DEFS))
    rank = {name: number for number, name in enumerate(FILE_ORDER)}
    found = [file for file in path.glob("*.x") if file.name != EXTERNALS_FILE]
    if not found:
        raise ContractError(f"{path}: expected .x files or a libvirt source tree, found neither")
    found.sort(key=lambda file: (rank.get(file.name, len(rank)), file.name))
    return Contract(_load_sources(found), _externals(path))


def _load_sources(paths: list[Path]) -> dict[str, SourceFile]:
    return {path.name: _load_source(path) for path in paths}


def _load_source(path: Path) -> SourceFile:
    return bind_procedures(parse(_read(path), path.name, str(path)))


def _externals(folder: Path) -> Mapping[str, int]:
    """Return what C headers would define: a folder's own externals.x, else the project's."""
    own = folder / EXTERNALS_FILE
    path = own if own.is_file() else PROTOCOL_DEFS / EXTERNALS_FILE
    source = parse(_read(path), path.name, str(path))
    contract = Contract({path.name: source})
    check(contract)
    names = Names(contract)
    return {name: names.value(name) for name in source.constants}


def _read(path: Path) -> str:
    """Return a file's text; what is not UTF-8 can only stand in a comment."""
    return read_text(path, "utf-8-sig", "replace")
