"""Judges described methods: whether what they name exists, and whether their keys go together.

The pass between ``api_read`` and ``emit_api``, which prints what it is given. Here are the groups,
and how a method is called; parameters and results have modules of their own. Every error names
file, line and method, and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xdrgen.api_bound import REFERENCES, BoundMethod, Program, programs_of
from xdrgen.api_check_parameters import check_parameters
from xdrgen.api_check_results import check_result
from xdrgen.api_kinds import OWN
from xdrgen.api_model import MethodGroup
from xdrgen.api_names import Names
from xdrgen.model import Contract

__all__ = ["check_api"]

# Owners that are no objects of a connection.
_CONNECTIONS = ("Connection", "AdminConnection")
# Keys that ask for one way of being called, and what that way is.
_FOR_CALLS = ("call_with_flags", "sends", "returns", "object")
_FOR_RECIPES = ("procedures", "peer")
_REFUSALS = ("writes", "writes_with_flags", "writes_with")


def check_api(groups: Sequence[MethodGroup], contract: Contract, names: Names) -> None:
    """Raise ContractError at the first thing of a description that cannot be."""
    programs = programs_of(contract)
    seen: dict[tuple[str, str], str] = {}
    for group in groups:
        _check_group(group, programs)
        for method in group.methods:
            key = (group.owner, method.name)
            if key in seen:
                message = f"expected one {group.owner}.{method.name}, found another in {seen[key]}"
                raise group.error(message, method.name)
            seen[key] = group.file.path.name
            _check_method(BoundMethod(group, method, programs[group.program]), programs, names)


def _check_group(group: MethodGroup, programs: Mapping[str, Program]) -> None:
    owners = (*_CONNECTIONS, *REFERENCES)
    if group.owner not in owners:
        raise group.error(one_of("owner", owners, group.owner), key="owner")
    if group.program not in programs:
        raise group.error(one_of("program", programs, group.program), key="program")
    if group.owner in _CONNECTIONS and group.object != "none":
        raise group.error("expected object_argument = false: a connection is no argument")


def _check_method(bound: BoundMethod, programs: Mapping[str, Program], names: Names) -> None:
    _check_way(bound)
    for name in bound.calls:
        if name not in bound.program.procedures:
            key = "call" if name == bound.method.call else "call_with_flags"
            raise bound.error(f"{key}: there is no procedure {name} in {bound.group.program}", key)
    for name in bound.method.procedures:
        if not any(name in program.procedures for program in programs.values()):
            raise bound.error(f"procedures: there is no procedure {name}", "procedures")
    _check_object(bound)
    check_parameters(bound, names)
    _check_refusal(bound, names)
    if bound.method.recipe:
        _check_recipe(bound, names)
    check_result(bound, names)
    for name in bound.method.raises:
        if name not in names.errors:
            raise bound.error(f"raises: expected an exception of virtproto, found {name}", "raises")
        if not bound.method.raises[name]:
            raise bound.error(f"raises: expected when there is a {name}, found nothing", "raises")


def _check_way(bound: BoundMethod) -> None:
    """Raise if keys of a method belong to another way of calling than its own."""
    way, others = ("recipe", _FOR_CALLS) if bound.method.recipe else ("call", _FOR_RECIPES)
    for key in others:
        if getattr(bound.method, key):
            raise bound.error(f"expected no {key} beside {way}", key)


def _check_object(bound: BoundMethod) -> None:
    """Raise unless the first argument is, or can be told from, the object."""
    named = bound.object
    if named == "none":
        return
    reference = REFERENCES[bound.group.owner]
    members = [one.name for one in bound.program.types.structs[reference].members]
    key = "object" if bound.method.object else ""
    if named and named not in members:
        raise bound.error(one_of("object", ("none", *members), named), key)
    for call in bound.calls:
        struct = bound.args(call)
        first = struct.members[0].type if struct and struct.members else "nothing"
        if not named and first != reference:
            raise bound.error(f"expected {call} to take {reference} first, found {first}", "call")


def _check_refusal(bound: BoundMethod, names: Names) -> None:
    """Raise unless it can be told when a read-only connection is refused."""
    method = bound.method
    given = [key for key in _REFUSALS if getattr(method, key)]
    if len(given) > 1:
        raise bound.error(f"expected one of {' and '.join(given)}, found both", given[0])
    asked = dict(method.writes_with)
    if method.writes_with_flags:
        asked["flags"] = method.writes_with_flags
    for name, value in asked.items():
        parameter = method.parameter(name)
        if parameter is None:
            raise bound.error(f"{given[0]}: expected a parameter called {name}", given[0])
        enum = names.enums.get(parameter.enum)
        if enum is None:
            raise bound.error(f"{given[0]}: expected {name} to have an enum", given[0])
        values = enum.members.values()
        if value not in values and (not enum.flags or value & ~sum(values)):
            expected = f"{given[0]}: expected what {parameter.enum} has"
            raise bound.error(f"{expected}, found {value}", given[0])


def _check_recipe(bound: BoundMethod, names: Names) -> None:
    """Raise unless the recipe exists and takes what it will be given."""
    method = bound.method
    function = names.recipes.get(method.recipe)
    if function is None:
        found = f"recipe: there is no {method.recipe} in virtproto.model.recipes"
        raise bound.error(found, "recipe")
    connections = [one.name for one in method.parameters if one.kind == "connection"]
    if method.peer and method.peer not in (OWN, *connections):
        raise bound.error(one_of("peer", (OWN, *connections), method.peer), "peer")
    by_place = 0 if bound.object == "none" else 1
    given = {one.name for one in method.parameters if one.name != method.peer}
    takes = set(function.places[by_place:]) | set(function.keywords)
    for name in sorted(given - takes):
        raise bound.error(f"{name}: {method.recipe} takes no such argument", name)
    for name in sorted(takes - given - function.optional):
        raise bound.error(f"expected a parameter {name}, which {method.recipe} asks for", "recipe")
    if len(function.places) < by_place:
        raise bound.error(f"recipe: {method.recipe} takes no object", "recipe")
    for name in connections:
        if name != method.peer:
            raise bound.error(f"{name}: expected it to be the peer, as a connection is", name)


def one_of(key: str, there_are: Iterable[str], found: str) -> str:
    """Return what an error says of a word that is none of those there are."""
    return f"{key}: expected one of {', '.join(there_are)}; found {found}"
