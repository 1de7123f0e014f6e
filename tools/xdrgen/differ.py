"""Compares two contracts: what was added, changed and removed, and whether old peers mind.

The second contract is *compatible* with the first when every message that the first allows is still
there and still means the same. Thus additions are compatible: constants, types, procedures,
enumerators, arms of a union, and raised limits; so is what no byte on the wire depends on: names of
fields, @priority, @acl, @aclfilter and a new @sparseflag. Removals, other numbers, another layout,
lowered limits and another @readstream or @writestream are not.

Knows contracts only; printing and exit codes are the command's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from xdrgen.convention import ANNOTATION_KEYS, is_procedure_enum
from xdrgen.model import (
    Contract,
    Declaration,
    EnumDef,
    ProcedureDef,
    Shape,
    StructDef,
    Typedef,
    UnionDef,
)
from xdrgen.resolve import Definition, Names
from xdrgen.writer import declaration_text

__all__ = ["Difference", "compare"]

Change = Literal["added", "changed", "removed"]

# Annotations that no message depends on.
_POLICY = frozenset({"priority", "acl", "aclfilter"})


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: ``what`` names it, ``detail`` says how it differs."""

    change: Change
    what: str
    detail: str
    compatible: bool

    def __str__(self) -> str:
        verdict = "compatible" if self.compatible else "incompatible"
        return f"{verdict:<12} {self.change:<7} {self.what}: {self.detail}"


def compare(old: Contract, new: Contract) -> list[Difference]:
    """Return every difference: constants first, then types, then procedures, in source order."""
    return list(_Comparison(old, new).run())


class _Comparison:
    """Two contracts side by side, every name looked up across all their files."""

    def __init__(self, old: Contract, new: Contract) -> None:
        self.old, self.new = old, new
        self.old_names, self.new_names = Names(old), Names(new)

    def run(self) -> Iterator[Difference]:
        yield from self.constants()
        old = {n: t for n, t in self.old_names.types.items() if not is_procedure_enum(n)}
        new = {n: t for n, t in self.new_names.types.items() if not is_procedure_enum(n)}
        for name, definition in old.items():
            what = f"{_kind(definition)} {name}"
            if name not in new:
                yield Difference("removed", what, _shown(definition), False)
            else:
                yield from self.types(what, definition, new[name])
        for name, definition in new.items():
            if name not in old:
                what = f"{_kind(definition)} {name}"
                yield Difference("added", what, _shown(definition), True)
        yield from self.procedures()

    # -- constants

    def constants(self) -> Iterator[Difference]:
        for name, number in self.old.externals.items():
            if self.new.externals.get(name, number) != number:
                detail = f"{number} became {self.new.externals[name]}"
                yield Difference("changed", f"external constant {name}", detail, False)
        old, new = _constants(self.old), _constants(self.new)
        for name, value in old.items():
            what = f"constant {name}"
            if name not in new:
                yield Difference("removed", what, str(value), False)
                continue
            was, now = _value(self.old_names, value), _value(self.new_names, new[name])
            if was != now:
                yield self.changed_constant(name, was, now)
        for name, value in new.items():
            if name not in old:
                yield Difference("added", f"constant {name}", str(value), True)

    def changed_constant(self, name: str, was: int | str, now: int | str) -> Difference:
        what, detail = f"constant {name}", f"{was} became {now}"
        if not (isinstance(was, int) and isinstance(now, int)):
            return Difference("changed", what, detail, False)
        shapes = {
            member.shape
            for definition in self.old_names.types.values()
            for member in _members(definition)
            if member.limit is not None and self.depends(member.limit, name)
        }
        if shapes != {Shape.VARIABLE}:
            return Difference("changed", what, detail, False)
        word = "raised" if now > was else "lowered"
        return Difference("changed", what, f"{detail} (limit {word})", now > was)

    def depends(self, value: int | str, name: str) -> bool:
        """Tell whether a value is, through however many constants, the named one."""
        while isinstance(value, str) and value != name:
            value = self.old_names.constants.get(value, 0)
        return value == name

    # -- types

    def types(self, what: str, old: Definition, new: Definition) -> Iterator[Difference]:
        match old, new:
            case Typedef(), Typedef():
                yield from self.members(what, (old.declaration,), (new.declaration,))
            case StructDef(), StructDef():
                yield from self.members(what, old.members, new.members)
            case UnionDef(), UnionDef():
                switches = (old.discriminant,), (new.discriminant,)
                yield from self.members(f"{what} switch", *switches)
                yield from self.arms(what, dict(old.arms), dict(new.arms))
            case EnumDef(), EnumDef():
                yield from self.enumerators(what, old, new)
            case _:
                detail = f"became {_kind(new)}: {_shown(new)}"
                yield Difference("changed", what, detail, False)

    def members(
        self, what: str, old: tuple[Declaration, ...], new: tuple[Declaration, ...]
    ) -> Iterator[Difference]:
        if len(old) != len(new):
            detail = f"{_listed(old)} became {_listed(new)}"
            yield Difference("changed", what, detail, False)
            return
        for was, now in zip(old, new, strict=True):
            yield from self.declaration(what, was, now)

    def declaration(self, what: str, was: Declaration, now: Declaration) -> Iterator[Difference]:
        """Compare two declarations in the same place; limits by value, names last."""
        detail = f"'{declaration_text(was)}' became '{declaration_text(now)}'"
        if not self.same_layout(was, now):
            yield Difference("changed", what, detail, False)
            return
        if was.limit != now.limit and was.limit is not None and now.limit is not None:
            old_limit = _value(self.old_names, was.limit)
            new_limit = _value(self.new_names, now.limit)
            if old_limit != new_limit:
                raised = (
                    isinstance(old_limit, int)
                    and isinstance(new_limit, int)
                    and old_limit < new_limit
                )
                compatible = was.shape is Shape.VARIABLE and raised
                yield Difference("changed", what, detail, compatible)
                return
        if was.name != now.name:
            yield Difference("changed", what, f"{detail} (renamed)", True)

    def same_layout(self, was: Declaration, now: Declaration) -> bool:
        """Tell whether two declarations put the same on the wire, limits aside.

        Types of the same name count as the same: their own difference is reported once.
        """
        if was.shape is now.shape and was.type == now.type:
            return True
        return _layout(self.old_names, was) == _layout(self.new_names, now)

    def arms(
        self, what: str, old: Mapping[str, Declaration], new: Mapping[str, Declaration]
    ) -> Iterator[Difference]:
        for label, was in old.items():
            if label not in new:
                yield Difference("removed", f"{what} case {label}", declaration_text(was), False)
            else:
                yield from self.declaration(f"{what} case {label}", was, new[label])
        for label, now in new.items():
            if label not in old:
                yield Difference("added", f"{what} case {label}", declaration_text(now), True)

    def enumerators(self, what: str, old: EnumDef, new: EnumDef) -> Iterator[Difference]:
        for name, was in old.members.items():
            if name not in new.members:
                yield Difference("removed", f"{what} {name}", str(was), False)
            elif was != new.members[name]:
                detail = f"{was} became {new.members[name]}"
                yield Difference("changed", f"{what} {name}", detail, False)
        for name, now in new.members.items():
            if name not in old.members:
                yield Difference("added", f"{what} {name}", str(now), True)

    # -- procedures

    def procedures(self) -> Iterator[Difference]:
        old, new = _procedures(self.old), _procedures(self.new)
        for name, was in old.items():
            if name not in new:
                what = f"procedure {name}"
                yield Difference("removed", what, _described(was), False)
            else:
                yield from self.procedure(was, new[name])
        for name, now in new.items():
            if name not in old:
                yield Difference("added", f"procedure {name}", _described(now), True)

    def procedure(self, was: ProcedureDef, now: ProcedureDef) -> Iterator[Difference]:
        what = f"procedure {was.name}"
        if was.number != now.number:
            yield Difference("changed", what, f"number {was.number} became {now.number}", False)
        pairs = (("args", was.args, now.args), ("ret", was.ret, now.ret), ("msg", was.msg, now.msg))
        for role, before, after in pairs:
            if before != after:
                detail = f"{role} {before or 'none'} became {after or 'none'}"
                yield Difference("changed", what, detail, False)
        for key in ANNOTATION_KEYS:
            values = was.annotations.get(key, ()), now.annotations.get(key, ())
            if values[0] != values[1]:
                before, after = (" ".join(v) or "none" for v in values)
                compatible = key in _POLICY or (key == "sparseflag" and not values[0])
                yield Difference("changed", what, f"@{key} {before} became {after}", compatible)


def _constants(contract: Contract) -> dict[str, int | str]:
    return {
        name: constant.value
        for source in contract.files.values()
        for name, constant in source.constants.items()
    }


def _procedures(contract: Contract) -> dict[str, ProcedureDef]:
    return {p.name: p for source in contract.files.values() for p in source.procedures}


def _value(names: Names, constant: int | str) -> int | str:
    """Return a constant's number, or its name where another file would have to define it."""
    try:
        return names.value(constant)
    except KeyError:
        return constant


def _members(definition: Definition) -> tuple[Declaration, ...]:
    match definition:
        case Typedef(declaration=declaration):
            return (declaration,)
        case StructDef(members=members):
            return members
        case UnionDef(arms=arms):
            return tuple(arm for _, arm in arms)
    return ()


def _layout(names: Names, declaration: Declaration) -> object:
    """Return what a declaration puts on the wire, all names spelled out; equal if that is equal."""
    limit = None if declaration.limit is None else _value(names, declaration.limit)
    definition = names.types.get(declaration.type)
    inner: object
    match definition:
        case None:
            inner = declaration.type
        case Typedef():
            inner = _layout(names, definition.declaration)
            if declaration.shape is Shape.SCALAR:
                return inner
        case EnumDef():
            inner = ("enum", tuple(sorted(definition.members.values())))
        case StructDef():
            inner = tuple(_layout(names, member) for member in definition.members)
        case UnionDef():
            arms = ((_value(names, label), _layout(names, arm)) for label, arm in definition.arms)
            inner = (_layout(names, definition.discriminant), tuple(arms))
    return (declaration.shape, limit, inner)


def _kind(definition: Definition) -> str:
    kinds = {Typedef: "typedef", StructDef: "struct", UnionDef: "union", EnumDef: "enum"}
    return kinds[type(definition)]


def _listed(members: tuple[Declaration, ...]) -> str:
    return "{" + "; ".join(map(declaration_text, members)) + "}"


def _shown(definition: Definition) -> str:
    match definition:
        case EnumDef(members=members):
            return "{" + ", ".join(f"{name} = {value}" for name, value in members.items()) + "}"
        case Typedef(declaration=declaration):
            return declaration_text(declaration)
    return _listed(_members(definition))


def _described(procedure: ProcedureDef) -> str:
    """Return a procedure's number, messages and annotations on one line."""
    messages = [name for name in (procedure.args, procedure.ret, procedure.msg) if name]
    annotations = [
        f"@{key} {' '.join(procedure.annotations[key])}"
        for key in ANNOTATION_KEYS
        if procedure.annotations.get(key)
    ]
    return ", ".join([f"number {procedure.number}", *messages, *annotations])
