"""The names that protocol_defs/api may use and the contract does not have.

Error classes, sets of constants, records, recipes, shapes and tables of typed parameters. Those of
virtproto are read from its text, as the generator has to work while virtproto cannot be imported.
Must not know: where in a description they stand.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xdrgen.constants import EnumDef, read_constants
from xdrgen.error_codes import read_errors
from xdrgen.errors import ContractError
from xdrgen.model import Position
from xdrgen.reading import read_text

__all__ = ["Function", "Names", "read_names"]


@dataclass(frozen=True)
class Function:
    """What a function takes: by place, and by keyword alone; ``optional`` may be left out."""

    places: tuple[str, ...]
    keywords: tuple[str, ...]
    optional: frozenset[str]


@dataclass(frozen=True)
class Names:
    """What there is, by kind; recipes and shapes as module.function."""

    errors: frozenset[str]
    enums: Mapping[str, EnumDef]
    records: frozenset[str]
    known: frozenset[str]
    recipes: Mapping[str, Function]
    shapes: Mapping[str, Function]


def read_names(defs: Path, package: Path) -> Names:
    """Return the names that ``defs`` (protocol_defs) and ``package`` (virtproto) have."""
    constants = read_constants(defs / "constants.toml")
    codes = read_errors(defs / "errors.toml", constants.c_members("virErrorNumber"))
    by_hand = {
        node.name
        for node in _parsed(package / "errors.py").body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    model = package / "model"
    return Names(
        errors=frozenset({code.name for code in codes} | by_hand),
        enums=constants.enums,
        records=_keys(package / "records.py", "_HOMES"),
        known=_keys(model / "parameters.py", "KNOWN"),
        recipes=dict(_functions(model / "recipes")),
        shapes=dict(_functions(model / "shapes")),
    )


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(read_text(path))
    except SyntaxError as error:
        position = Position(str(path), error.lineno or 1)
        raise ContractError(f"expected Python, found {error.msg}", position) from None


def _keys(path: Path, table: str) -> frozenset[str]:
    """Return the keys of a dict that a module spells out."""
    for node in _parsed(path).body:
        named = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == table for each in named):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Dict):
                found = (each.value for each in value.keys if isinstance(each, ast.Constant))
                return frozenset(each for each in found if isinstance(each, str))
    raise ContractError(f"{path}: expected {table}, a dict, found none")


def _functions(folder: Path) -> Iterator[tuple[str, Function]]:
    """Return the public functions of every module of a folder."""
    for path in sorted(folder.glob("*.py")):
        for node in _parsed(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{path.stem}.{node.name}", _function(node.args)


def _function(args: ast.arguments) -> Function:
    places = [each.arg for each in (*args.posonlyargs, *args.args)]
    keywords = [each.arg for each in args.kwonlyargs]
    optional = set(places[len(places) - len(args.defaults) :])
    pairs = zip(keywords, args.kw_defaults, strict=True)
    optional |= {name for name, default in pairs if default is not None}
    return Function(tuple(places), tuple(keywords), frozenset(optional))
