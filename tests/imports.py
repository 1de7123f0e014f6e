"""Who imports what, read from the source without running it.

Responsible for the import statements of the project's modules, with relative ones resolved. Knows
nothing of the rules about them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Import", "imports_of", "modules_of"]


@dataclass(frozen=True)
class Import:
    """One imported name: ``at_load`` if loading the module runs it, not a later call."""

    module: str
    name: str | None
    line: int
    at_load: bool


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module below the folder ``package``, by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str, path: Path) -> list[Import]:
    """Return the imports of a module, leaving out those that only a type checker follows."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return list(_walk(tree.body, package, at_load=True))


def _walk(body: list[ast.stmt], package: str, *, at_load: bool) -> Iterator[Import]:
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield Import(alias.name, None, statement.lineno, at_load)
        elif isinstance(statement, ast.ImportFrom):
            origin = _origin(statement, package)
            for alias in statement.names:
                yield Import(origin, alias.name, statement.lineno, at_load)
        elif isinstance(statement, ast.If) and _is_type_checking(statement.test):
            yield from _walk(statement.orelse, package, at_load=at_load)
        else:
            in_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
            for block in _blocks(statement):
                yield from _walk(block, package, at_load=at_load and not in_function)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for handler in getattr(statement, "handlers", []):
        yield handler.body
    for case in getattr(statement, "cases", []):
        yield case.body


def _origin(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    above = package.split(".")[: len(package.split(".")) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"
