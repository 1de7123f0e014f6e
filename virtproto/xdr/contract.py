"""The wire contract as something to look up: types, procedures, constants.

Responsible for: reading the generated tables (virtproto.wire.contract, or any object of that
layout), resolving typedefs, and the smallest size that each type can have on the wire.
Must not know: how values are represented in Python, or where the tables come from.

Layout of the tables::

    CONSTANTS  {name: int}
    TYPES      {name: ("struct", ((field, type, shape, limit), ...))
                    | ("union", discriminant, ((case, field, type, shape, limit), ...))
                    | ("enum", {member: int})
                    | ("typedef", type, shape, limit)}
    PROGRAMS   {name: (number, version, ((number, name, args, ret, msg, {annotation: ...}), ...))}
    SECRETS    {struct: (field, ...)}, optional
    SECRET_PARAMETERS (name, ...), optional: typed parameters, whatever struct they come in

``shape`` is "scalar", "fixed", "variable" or "optional"; ``limit`` an int or None; ``case`` an int
or the name of a constant.
"""

from __future__ import annotations

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["BASIC_TYPES", "Contract", "Enum", "Member", "Procedure", "Struct", "Union"]

# Basic types and their size in bytes: each one below 64 bits takes a whole word (RFC 4506, 4.1).
BASIC_TYPES: Mapping[str, int] = {
    "char": 4,
    "unsigned char": 4,
    "short": 4,
    "unsigned short": 4,
    "int": 4,
    "unsigned int": 4,
    "hyper": 8,
    "unsigned hyper": 8,
    "double": 8,
    "string": 4,
    "opaque": 0,
}

# Deeper than any contract of libvirt's nests (6); what is deeper is not one.
MAX_DEPTH = 32


class Member:
    """A field of a struct or arm of a union: ``type`` multiplied by ``shape`` up to ``limit``."""

    __slots__ = ("limit", "name", "shape", "type")

    def __init__(self, name: str, type: str, shape: str, limit: int | None) -> None:
        self.name = name
        self.type = type
        self.shape = shape
        self.limit = limit

    def __repr__(self) -> str:
        return f"Member({self.name!r}, {self.type!r}, {self.shape!r}, {self.limit!r})"

    @property
    def spelling(self) -> str:
        """The declaration's type as the .x language writes it: "int", "string<20>", "T *"."""
        if self.shape == "optional":
            return f"{self.type} *"
        size = "" if self.limit is None else str(self.limit)
        if self.shape == "fixed":
            return f"{self.type}[{size}]"
        if self.shape == "variable" or self.type == "string":
            return f"{self.type}<{size}>"
        return self.type


class Struct:
    """A struct: its members in wire order, and which of them are never to be shown."""

    __slots__ = ("members", "name", "secrets")

    def __init__(self, name: str, members: tuple[Member, ...], secrets: frozenset[str]) -> None:
        self.name = name
        self.members = members
        self.secrets = secrets


class Union:
    """A union over an int: ``arms`` by the discriminant's value."""

    __slots__ = ("arms", "name")

    def __init__(self, name: str, arms: Mapping[int, Member]) -> None:
        self.name = name
        self.arms = arms


class Enum:
    """An enum, which on the wire is an int: any number is let through."""

    __slots__ = ("members", "name")

    def __init__(self, name: str, members: Mapping[str, int]) -> None:
        self.name = name
        self.members = members


class Procedure:
    """One procedure of a program, with the names of its structs (None where there is none)."""

    __slots__ = ("annotations", "args", "msg", "name", "number", "program", "ret", "version")

    def __init__(self, program: int, version: int, row: tuple[Any, ...]) -> None:
        self.program = program
        self.version = version
        self.number: int = row[0]
        self.name: str = row[1]
        self.args: str | None = row[2]
        self.ret: str | None = row[3]
        self.msg: str | None = row[4]
        self.annotations: Mapping[str, Any] = row[5]


class Contract:
    """All types and procedures, built from the tables when first asked for."""

    __slots__ = (
        "_sizes",
        "_types",
        "constants",
        "programs",
        "secret_parameters",
        "secrets",
        "types",
    )

    def __init__(
        self,
        types: Mapping[str, tuple[Any, ...]],
        constants: Mapping[str, int] | None = None,
        programs: Mapping[str, tuple[Any, ...]] | None = None,
        secrets: Mapping[str, tuple[str, ...]] | None = None,
        secret_parameters: tuple[str, ...] = (),
    ) -> None:
        self.types = types
        self.constants = constants or {}
        self.programs = programs or {}
        self.secrets = secrets or {}
        self.secret_parameters = frozenset(secret_parameters)
        self._types: dict[str, Struct | Union | Enum | Member] = {}
        self._sizes: dict[tuple[str, str, int | None], int] = {}

    @classmethod
    def from_tables(cls, tables: Any) -> Contract:
        """Return the contract of a module (or object) that has TYPES, CONSTANTS, PROGRAMS."""
        secrets = getattr(tables, "SECRETS", None)
        parameters = getattr(tables, "SECRET_PARAMETERS", ())
        return cls(tables.TYPES, tables.CONSTANTS, tables.PROGRAMS, secrets, parameters)

    def type(self, name: str) -> Struct | Union | Enum | Member:
        """Return a type by the name it has in the .x files; a typedef is a Member of that name.

        Raise UsageError if there is none.
        """
        found = self._types.get(name)
        if found is None:
            if name not in self.types:
                raise UsageError(f"the contract has no type {name!r}")
            found = self._types[name] = self._build(name, self.types[name])
        return found

    def is_secret(self, struct: Struct, member: str, field: object) -> bool:
        """Tell whether a member's value must not be shown.

        ``field`` is the value of the struct's member of that name, None if it has none: a typed
        parameter is a "field", which is its name, and a "value".
        """
        if member == "value" and isinstance(field, str) and field in self.secret_parameters:
            return True
        return member in struct.secrets

    def procedure(self, program: str | int, key: str | int) -> Procedure:
        """Return a procedure by its program (name or number) and its name or number.

        Raise UsageError if there is none.
        """
        for name, (number, version, rows) in self.programs.items():
            if program in (name, number):
                for row in rows:
                    if key in (row[0], row[1]):
                        return Procedure(number, version, row)
                raise UsageError(f"program {name} has no procedure {key!r}")
        raise UsageError(f"the contract has no program {program!r}")

    def resolve(self, member: Member) -> Member:
        """Return the declaration with typedefs replaced as far as that is one declaration.

        An array or optional of a typedef stays as it is: its elements are of the typedef.
        """
        for _ in range(MAX_DEPTH):
            if member.shape != "scalar" or member.type in BASIC_TYPES:
                return member
            target = self.type(member.type)
            if not isinstance(target, Member):
                return member
            member = Member(member.name, target.type, target.shape, target.limit)
        raise UsageError(f"typedef {member.type} goes in a circle")

    def minimum_size(self, member: Member) -> int:
        """Return the fewest bytes that a value of this declaration takes on the wire."""
        return self._minimum(member, MAX_DEPTH)

    def _minimum(self, member: Member, depth: int) -> int:
        member = self.resolve(member)
        key = (member.type, member.shape, member.limit)
        size = self._sizes.get(key)
        if size is None:
            if depth == 0:
                raise UsageError(f"{member.type} contains itself")
            size = self._sizes[key] = self._measure(member, depth)
        return size

    def _measure(self, member: Member, depth: int) -> int:
        if member.shape in ("variable", "optional"):
            return 4
        if member.shape == "fixed":
            count = member.limit or 0
            if member.type == "opaque":
                return (count + 3) & ~3
            return count * self._minimum(Member("", member.type, "scalar", None), depth - 1)
        if member.type in BASIC_TYPES:
            return BASIC_TYPES[member.type]
        target = self.type(member.type)
        if isinstance(target, Struct):
            return sum(self._minimum(item, depth - 1) for item in target.members)
        if isinstance(target, Union):
            arms = [self._minimum(arm, depth - 1) for arm in target.arms.values()]
            return 4 + min(arms, default=0)
        return 4

    def _build(self, name: str, row: tuple[Any, ...]) -> Struct | Union | Enum | Member:
        kind = row[0]
        if kind == "struct":
            members = tuple(Member(*fields) for fields in row[1])
            return Struct(name, members, frozenset(self.secrets.get(name, ())))
        if kind == "union":
            return Union(name, {self._case(arm[0]): Member(*arm[1:]) for arm in row[2]})
        if kind == "enum":
            return Enum(name, row[1])
        if kind == "typedef":
            return Member(name, *row[1:])
        raise UsageError(f"type {name}: {kind!r} is no kind of type")

    def _case(self, label: int | str) -> int:
        return label if isinstance(label, int) else self.constants[label]
