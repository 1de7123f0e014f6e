"""The described API: what protocol_defs/api says of each method, as plain records.

Nothing here reads files or prints code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xdrgen.errors import ContractError
from xdrgen.reading import TomlFile

__all__ = ["Method", "Parameter", "MethodGroup"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method.

    ``member`` is the member of the arguments' struct that it fills, ``kind`` how its value is
    checked and converted ("" means: as the member's type asks), ``default`` a TOML value or None
    where there is none, ``enum`` the set of constants its numbers come from,
    ``known`` the table of typed parameters it belongs to, ``limit`` a constant of the contract
    where no member says how much there may be.
    """

    name: str
    member: str
    kind: str = ""
    default: Any = None
    enum: str = ""
    doc: str = ""
    known: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Method:
    """A method: either one call (or another one with flags) or a recipe of several.

    ``peer`` is the parameter with the connection of a recipe's other end, or "own" where that is
    the method's own connection.

    A read-only connection is refused always (``writes``), if one of these flags is set
    (``writes_with_flags``), or if the parameters have these values (``writes_with``).
    """

    name: str
    doc: str
    parameters: tuple[Parameter, ...] = ()
    call: str = ""
    call_with_flags: str = ""
    recipe: str = ""
    procedures: tuple[str, ...] = ()
    sends: Mapping[str, Any] = field(default_factory=dict)
    returns: str = ""
    shape: str = ""
    type: str = ""
    handle: str = ""
    remember: str = ""
    peer: str = ""
    writes: bool = False
    writes_with_flags: int = 0
    writes_with: Mapping[str, int] = field(default_factory=dict)
    object: str = ""
    raises: Mapping[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> tuple[str, ...]:
        """The procedures that it may call, by their short names."""
        direct = tuple(name for name in (self.call, self.call_with_flags) if name)
        return direct or self.procedures

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, if there is one."""
        return next((one for one in self.parameters if one.name == name), None)


@dataclass(frozen=True)
class MethodGroup:
    """The methods of one file, which become one class in one module of each colour.

    ``object`` tells how a method's first argument names the object: "" is the object itself, a word
    is that member of it, "none" that there is no such argument.
    """

    stem: str
    file: TomlFile
    owner: str
    cls: str
    about: str
    program: str = "remote"
    object: str = ""
    eager: bool = False
    methods: tuple[Method, ...] = ()

    def error(self, message: str, method: str = "", key: str = "") -> ContractError:
        """Return an error that names the place in the file."""
        where = f"{method}: " if method else ""
        return self.file.error(where + message, method, key)
