"""What each command of gen_xdr.py does: reads, compares, writes files and prints lines.

Every function returns the exit status. Knows no grammar and no code generation.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from xdrgen.convention import EXTERNALS_FILE, FILE_ORDER
from xdrgen.differ import compare
from xdrgen.errors import ContractError
from xdrgen.event_model import Event
from xdrgen.load import PROTOCOL_DEFS, is_source_tree, load_contract
from xdrgen.model import Contract
from xdrgen.secrecy import check_secrets, read_secrets
from xdrgen.since import SinceTable, read_since, release_of_tree, write_since
from xdrgen.urgency import read_urgent
from xdrgen.writer import write_externals, write_source

__all__ = ["check", "diff", "generate", "import_tree"]

_CACHE = "__pycache__"


def generate(defs: Path, into: Path) -> int:
    """Write the generated packages below ``into`` and remove files that are none of theirs."""
    packages = _generated(defs)
    stale = {name: _present(into / name) - texts.keys() for name, texts in packages.items()}
    for package, texts in packages.items():
        folder = into / package
        for name in sorted(stale[package]):
            (folder / name).unlink()
            print(f"removed {folder / name}")
            _remove_emptied((folder / name).parent, folder)
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != text.encode():
                path.write_bytes(text.encode())
                print(f"wrote {path}")
    return 0


def check(defs: Path, into: Path) -> int:
    """Compare what is below ``into`` with what would be generated; 1 and a list on drift."""
    drift: list[str] = []
    for package, texts in _generated(defs).items():
        folder = into / package
        present = _present(folder)
        drift += [f"missing {package}/{name}" for name in texts if name not in present]
        drift += [f"stale {package}/{name}" for name in sorted(present - texts.keys())]
        drift += [
            f"changed {package}/{name}"
            for name, text in texts.items()
            if name in present and (folder / name).read_bytes() != text.encode()
        ]
    for line in drift:
        print(line)
    if drift:
        print(f"{into} differs from {defs}: run gen_xdr.py generate")
    return 1 if drift else 0


def diff(old: Path, new: Path) -> int:
    """Print how the contract at ``new`` differs from that at ``old``; 1 if incompatibly."""
    before, after = _comparable(_load(old), old, _load(new), new)
    differences = compare(before, after)
    for difference in differences:
        print(difference)
    broken = sum(not difference.compatible for difference in differences)
    if differences:
        total = len(differences)
        print(f"{total} difference{'s'[: total > 1]}, {broken} incompatible")
    else:
        print("no difference")
    return 1 if broken else 0


def import_tree(tree: Path, defs: Path) -> int:
    """Write ``defs`` from the contract at ``tree`` and add what is new to since.toml."""
    contract = _whole(_load(tree), tree)
    since_path = defs / "since.toml"
    table = read_since(since_path) if since_path.is_file() else SinceTable()
    release = release_of_tree(tree) if is_source_tree(tree) else None
    table, added = table.extended(contract, release)
    texts = {name: write_source(source) for name, source in contract.files.items()}
    texts[EXTERNALS_FILE] = write_externals(contract.externals)
    with tempfile.TemporaryDirectory() as trial:
        _write(Path(trial), texts)
        if load_contract(Path(trial)) != contract:
            raise ContractError(f"{tree}: the .x files written from it read back as another one")
    texts["since.toml"] = write_since(table)
    _write(defs, texts)
    for name in texts:
        print(f"wrote {defs / name}")
    for program, name, entry in added:
        known = f'added as "{entry}"' if entry else "add it by hand: the release is unknown"
        print(f"since.toml had no {program} procedure {name}: {known}")
    return 0


def _load(path: Path) -> Contract:
    """Return the contract at a path; what was passed over in it becomes lines on stderr."""
    contract = load_contract(path)
    for source in contract.files.values():
        for remark in source.remarks:
            print(f"warning: {remark} is ignored", file=sys.stderr)
    return contract


def _whole(contract: Contract, path: Path) -> Contract:
    """Return a contract cut to the files that protocol_defs holds; raise unless it has all."""
    _require_all(contract, path)
    return Contract({name: contract.files[name] for name in FILE_ORDER}, contract.externals)


def _require_all(contract: Contract, path: Path) -> None:
    """Raise unless every file of the contract is there and declares something."""
    for name in FILE_ORDER:
        if name not in contract.files:
            raise ContractError(f"{path}: expected {name} among its files, found none")
    for name, source in contract.files.items():
        tables = (source.constants, source.typedefs, source.enums, source.structs, source.unions)
        if not any(tables):
            raise ContractError(f"{path}: expected declarations in {name}, found none")


def _write(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _generated(defs: Path) -> dict[str, dict[str, str]]:
    """Return every generated package: its folder, and text by path below that."""
    # Some packages are alike in both colours.
    texts = {emit: emit(defs) for emit in dict.fromkeys(_PACKAGES.values())}
    return {package: texts[emit] for package, emit in _PACKAGES.items()}


def _wire(defs: Path) -> dict[str, str]:
    from xdrgen.emit_wire import Extras, emit

    contract = load_contract(defs)
    _require_all(contract, defs)
    if not (defs / EXTERNALS_FILE).is_file():
        raise ContractError(f"{defs}: expected {EXTERNALS_FILE} among its files, found none")
    for source in contract.files.values():
        for remark in source.remarks:
            # These files are the project's own: what is not known there is a slip of the pen.
            raise ContractError(remark.message, remark.position)
    since = read_since(defs / "since.toml").numbers(contract)
    secrets = read_secrets(defs / "secrets.toml")
    check_secrets(secrets, contract)
    urgent = read_urgent(defs / "urgent.toml", contract)
    return emit(contract, Extras(since, secrets.fields, secrets.typed_parameters, urgent))


def _constants(defs: Path) -> dict[str, str]:
    from xdrgen.constants import read_constants
    from xdrgen.emit_constants import emit_constants

    return emit_constants(read_constants(defs / "constants.toml"))


def _libvirt_errors(defs: Path) -> dict[str, str]:
    from xdrgen.constants import read_constants
    from xdrgen.emit_errors import emit_errors
    from xdrgen.error_codes import read_errors

    numbers = read_constants(defs / "constants.toml").c_members("virErrorNumber")
    return emit_errors(read_errors(defs / "errors.toml", numbers))


def _methods(defs: Path, colour: str) -> dict[str, str]:
    from xdrgen.api_check import check_api
    from xdrgen.api_names import read_names
    from xdrgen.api_read import read_api
    from xdrgen.emit_api import emit_api

    contract = load_contract(defs)
    since = read_since(defs / "since.toml").numbers(contract)
    groups = read_api(defs / "api")
    names = read_names(defs, PROTOCOL_DEFS.parent / "virtproto")
    check_api(groups, contract, names)
    return emit_api(contract, groups, since, names.enums, colour)


def _uses(defs: Path) -> dict[str, str]:
    from xdrgen.api_read import read_api
    from xdrgen.emit_uses import emit_uses

    # That the descriptions are sound is found out when the methods are printed.
    return emit_uses(load_contract(defs), read_api(defs / "api"))


def _events(defs: Path) -> tuple[Contract, list[Event]]:
    """Return the contract and its events as they are described, found sound."""
    from xdrgen.constants import read_constants
    from xdrgen.event_check import check_events
    from xdrgen.event_read import read_events

    contract = load_contract(defs)
    events = read_events(defs / "events.toml")
    check_events(events, contract, read_constants(defs / "constants.toml").enums)
    return contract, events


def _event_table(defs: Path) -> dict[str, str]:
    from xdrgen.emit_events import emit_event_table

    return emit_event_table(*_events(defs))


def _event_records(defs: Path) -> dict[str, str]:
    from xdrgen.constants import read_constants
    from xdrgen.emit_events import emit_event_records

    contract, events = _events(defs)
    since = read_since(defs / "since.toml").numbers(contract)
    return emit_event_records(
        contract, events, since, read_constants(defs / "constants.toml").enums
    )


# Each package that holds generated modules and nothing else, and what returns their texts.
_PACKAGES: dict[str, Callable[[Path], dict[str, str]]] = {
    "wire": _wire,
    "constants": _constants,
    "libvirt_errors": _libvirt_errors,
    "sync/_methods": partial(_methods, colour="sync"),
    "aio/_methods": partial(_methods, colour="aio"),
    "sync/_events": _event_records,
    "aio/_events": _event_records,
    "model/event_table": _event_table,
    "model/procedure_uses": _uses,
}


def _present(package: Path) -> set[str]:
    """Return the files below a folder, leaving out what Python itself caches there.

    Raise ContractError at a symbolic link: what is written there would be written elsewhere.
    """
    found: set[str] = set()
    for folder, folders, files in os.walk(package):
        folders[:] = [name for name in folders if name != _CACHE]
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink():
                raise ContractError(f"{path}: expected a generated file, found a symbolic link")
        found |= {Path(folder, name).relative_to(package).as_posix() for name in files}
    return found


def _remove_emptied(folder: Path, package: Path) -> None:
    """Remove a folder that holds nothing but what Python cached, and then its parent likewise."""
    while folder != package and all(path.name == _CACHE for path in folder.iterdir()):
        if (folder / _CACHE).is_dir():
            shutil.rmtree(folder / _CACHE)
        folder.rmdir()
        print(f"removed {folder}")
        folder = folder.parent


def _comparable(
    before: Contract, old: Path, after: Contract, new: Path
) -> tuple[Contract, Contract]:
    """Cut two contracts to the one file, if one of the paths is a .x file."""
    if old.suffix != ".x" and new.suffix != ".x":
        return before, after
    if old.suffix == new.suffix == ".x":
        return before, after
    single = old if old.suffix == ".x" else new
    return _only(before, single.name, old), _only(after, single.name, new)


def _only(contract: Contract, name: str, path: Path) -> Contract:
    if name not in contract.files:
        raise ContractError(f"{path}: expected {name} among its files, found none")
    return Contract({name: contract.files[name]}, contract.externals)
