"""Judges the parameters of described methods, and what fills the arguments of their calls.

A part of ``api_check``. Must not know: what becomes of a reply.
"""

from __future__ import annotations

from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OBJECTS, PARAMETERS, single_of
from xdrgen.api_model import Parameter
from xdrgen.api_names import Names
from xdrgen.emit_nodes import Bytes, Maybe, Number, Params, String, Vector
from xdrgen.model import Declaration

__all__ = ["check_parameters"]

# Kinds that travel beside the message.
_BESIDE = ("stream", "fd", "fds", "socket")
# What a default is, where there can be another than None.
_TEXTS = ("text", "optional_text", "path")
_NUMBERS = ("int", "uint", "long", "ulong", "flags")


def check_parameters(bound: BoundMethod, names: Names) -> None:
    """Raise ContractError at the first parameter that cannot be, or member that nothing fills."""
    if not bound.method.recipe:
        _check_filled(bound)
    has_default = ""
    for one in bound.method.parameters:
        _check_kind(bound, one)
        _check_words(bound, one, names)
        _check_doc(bound, one)
        if one.default is not None:
            _check_default(bound, one)
            has_default = one.name
        elif has_default:
            raise bound.error(f"{one.name}: expected a default, as {has_default} has one", one.name)
        if bound.method.recipe and one.member != one.name:
            raise bound.error(f"{one.name}: expected no field beside recipe", one.name)


def _check_kind(bound: BoundMethod, one: Parameter) -> None:
    kind = bound.kind(one)
    by_contract = bound.kind_by_contract(one)
    if one.kind and one.kind == by_contract:
        why = "what is called flags is flags" if one.name == "flags" else "the contract has it"
        raise bound.error(f"{one.name}: expected no kind, as {why}; found {kind}", one.name)
    if kind not in PARAMETERS and not single_of(kind):
        there_are = ", ".join(sorted((*PARAMETERS, *OBJECTS, *(f"{each}s" for each in OBJECTS))))
        found = kind or "none, nor has the contract one for it"
        raise bound.error(
            f"{one.name}: expected a kind, one of {there_are}; found {found}", one.name
        )


def _check_words(bound: BoundMethod, one: Parameter, names: Names) -> None:
    """Raise unless what a parameter names exists."""
    kind = bound.kind(one)
    if one.enum and one.enum not in names.enums:
        expected = "expected a set of constants.toml for enum"
        raise bound.error(f"{one.name}: {expected}, found {one.enum}", one.name)
    if one.enum and kind not in _NUMBERS:
        raise bound.error(
            f"{one.name}: expected a kind of number with enum, found {kind}", one.name
        )
    if (kind == "params") != bool(one.known) or (one.known and one.known not in names.known):
        there_are = ", ".join(sorted(names.known)) if kind == "params" else "nothing"
        found = one.known or "nothing"
        raise bound.error(f"{one.name}: expected known to be {there_are}; found {found}", one.name)
    several = kind not in OBJECTS and bool(single_of(kind))
    limited = several or (kind in PARAMETERS and PARAMETERS[kind].limited)
    if one.limit and not limited:
        raise bound.error(f"{one.name}: expected no limit for {kind}", one.name)
    if limited and bound.limit(one) not in bound.program.types.constants:
        found = bound.limit(one) or "none"
        expected = "expected a constant of the contract for limit"
        raise bound.error(f"{one.name}: {expected}, found {found}", one.name)


def _check_doc(bound: BoundMethod, one: Parameter) -> None:
    """Raise unless a parameter is told of; of flags that there are none of nothing can be told."""
    if one.name != "flags":
        if not one.doc:
            raise bound.error(f"{one.name}: expected a doc, found none", one.name)
    elif one.doc and not one.enum:
        raise bound.error("flags: expected no doc without enum, as there are none", one.name)


def _check_default(bound: BoundMethod, one: Parameter) -> None:
    kind = bound.kind(one)
    if one.default == "None":
        _check_optional(bound, one)
        return
    if one.enum or kind in _NUMBERS:
        fits, wanted = type(one.default) is int, "a whole number"
    elif kind == "bool":
        fits, wanted = type(one.default) is bool, "true or false"
    elif kind in _TEXTS:
        fits, wanted = type(one.default) is str, "text"
    else:
        fits, wanted = False, '"None"'
    if not fits:
        expected = f"expected {wanted} for the default of {kind}"
        raise bound.error(f"{one.name}: {expected}, found {one.default!r}", one.name)


def _check_optional(bound: BoundMethod, one: Parameter) -> None:
    """Raise unless the wire, or a recipe, has a way to say that there is nothing."""
    kind = bound.kind(one)
    node = bound.node(one)
    if bound.method.recipe:
        fits = kind not in _NUMBERS or not one.enum
    else:
        fits = isinstance(node, Bytes | Maybe | Params | Vector)
    if not fits:
        found = f"{one.name}: expected a default other than None, as it cannot be left out"
        raise bound.error(found, one.name)


def _check_filled(bound: BoundMethod) -> None:
    """Raise unless every member is filled once, and everything given fills one."""
    method = bound.method
    by_member: dict[str, str] = {}
    for one in method.parameters:
        if bound.kind(one) in _BESIDE:
            continue
        if one.member in by_member:
            other = by_member[one.member]
            raise bound.error(f"{one.name}: {other} fills {one.member} already", one.name)
        by_member[one.member] = one.name
    for name in method.sends:
        if name in by_member:
            raise bound.error(f"sends: {by_member[name]} fills {name} already", "sends")
    filled = dict.fromkeys(method.sends, "sends") | by_member
    members = {call: _members(bound, call) for call in bound.calls}
    there_are = list(dict.fromkeys(one.name for each in members.values() for one in each))
    for name, where in filled.items():
        if name not in there_are:
            expected = f"{where}: expected a member of {' or '.join(members)}"
            raise bound.error(f"{expected} ({', '.join(there_are) or 'none'}); found {name}", where)
    for call, each in members.items():
        for member in each:
            if member.name not in filled:
                key = "call" if call == method.call else "call_with_flags"
                raise bound.error(f"nothing fills {member.name} of {call}", key)
            if member.name in method.sends:
                _check_sent(bound, member)


def _members(bound: BoundMethod, call: str) -> tuple[Declaration, ...]:
    """Return the members of a call's arguments, without that for the object."""
    struct = bound.args(call)
    members = struct.members if struct else ()
    return members if bound.object == "none" else members[1:]


def _check_sent(bound: BoundMethod, member: Declaration) -> None:
    """Raise unless a constant can be what it is sent as."""
    value = bound.method.sends[member.name]
    match bound.program.types.node(member):
        case Number(python="int"):
            fits, wanted = type(value) is int, "a whole number"
        case String() | Maybe(inner=String()):
            fits, wanted = type(value) is str, "text"
        case _:
            fits, wanted = False, "a number or text, which it is not"
    if not fits:
        expected = f"sends: expected {member.name} to be {wanted}"
        raise bound.error(f"{expected}; found {value!r}", "sends")
