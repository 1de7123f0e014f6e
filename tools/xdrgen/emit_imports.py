"""Collects what a printed module has to import, and prints the statements.

Responsible for their order and form. Must not know: what the names are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdrgen.emit_text import WIDTH, Bracket, render

__all__ = ["Imports", "MethodImports", "import_lines"]


@dataclass
class Imports:
    """What a module has to import, by module: at load, and for type checkers."""

    load: dict[str, set[str]] = field(default_factory=dict)
    typing: dict[str, set[str]] = field(default_factory=dict)

    def at_load(self, module: str, name: str) -> str:
        """Return the name, which the module imports when it is loaded."""
        self.load.setdefault(module, set()).add(name)
        return name

    def for_types(self, module: str, name: str) -> str:
        """Return the name, which only type checkers need."""
        self.typing.setdefault(module, set()).add(name)
        return name


@dataclass
class MethodImports:
    """What one method of a module has to import: most of it when it runs, to be loaded late.

    An eager module imports what the model has when it is loaded itself; objects' classes never,
    as their modules import each other.
    """

    module: Imports
    eager: bool
    local: dict[str, set[str]] = field(default_factory=dict)

    def late(self, module: str, name: str) -> str:
        """Return the name, which is imported inside the method."""
        if self.eager and not module.startswith(".."):
            return self.module.at_load(module, name)
        self.local.setdefault(module, set()).add(name)
        return name


def import_lines(modules: Mapping[str, set[str]], indent: int) -> list[str]:
    """Return import statements in the order that ruff's isort wants, and a blank line."""
    ours = sorted(name for name in modules if name.startswith("virtproto"))
    relative = sorted(name for name in modules if name.startswith("."))
    standard = sorted(modules.keys() - {*ours, *relative})
    lines: list[str] = []
    for group in (standard, ours, relative):
        if lines and group:
            lines.append("")
        for module in group:
            names = tuple(_in_order(modules[module]))
            line = f"{'    ' * indent}from {module} import {', '.join(names)}"
            wrapped = render(Bracket(f"from {module} import (", names, ")"), indent)
            lines += [line] if len(line) <= WIDTH else wrapped
    return [*lines, ""] if lines else []


def _in_order(names: set[str]) -> list[str]:
    """Return names with constants first, then classes, then the rest."""

    def rank(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name.lower())

    return sorted(names, key=rank)
