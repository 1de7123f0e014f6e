"""Judges what described methods say of their results.

A part of ``api_check``. Must not know: what a call is given.
"""

from __future__ import annotations

import ast

from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OBJECTS, RECEIVED, RESULTS, single_of
from xdrgen.api_names import Names
from xdrgen.emit_signature import ENUM, HOMES, KNOWN_TYPES, WORD

__all__ = ["check_result"]


def check_result(bound: BoundMethod, names: Names) -> None:
    """Raise ContractError if a method cannot have the result that it is said to have."""
    method = bound.method
    if method.remember:
        _check_remember(bound)
        return
    if method.handle:
        _check_handle(bound)
    if method.type:
        _check_type(bound, names)
    if method.shape:
        _check_shape(bound, names)
    if method.returns:
        _check_returns(bound, names)


def _check_remember(bound: BoundMethod) -> None:
    method = bound.method
    if bound.group.owner != "Domain":
        raise bound.error("remember: expected it of domains only", "remember")
    for key in ("returns", "shape", "type", "handle"):
        if getattr(method, key):
            raise bound.error(f"expected no {key} beside remember", key)
    what, _, parameter = method.remember.partition("=")
    if what == "name" and method.parameter(parameter) is None:
        raise bound.error(f"remember: expected a parameter called {parameter}", "remember")
    if what != "name" and method.remember not in ("id", "stopped"):
        expected = "remember: expected id, stopped or name=PARAMETER"
        raise bound.error(f"{expected}; found {method.remember}", "remember")
    for call in bound.calls if what == "id" else ():
        struct = bound.ret(call)
        if struct is None or not any(one.name == "dom" for one in struct.members):
            raise bound.error(f"remember: {call} does not return dom, whose id it is", "remember")


def _check_handle(bound: BoundMethod) -> None:
    kind = bound.method.handle
    if not _is_handle(kind):
        raise bound.error(f"handle: expected a kind of object, {_HANDLES}; found {kind}", "handle")
    if not (bound.method.recipe or bound.method.shape):
        raise bound.error("handle: expected returns, as there is no recipe and no shape", "handle")


def _is_handle(kind: str) -> bool:
    return bool(single_of(kind)) or kind.removeprefix("optional_") in OBJECTS


_HANDLES = f"one of {', '.join(OBJECTS)}, with s for several or behind optional_"


def _check_type(bound: BoundMethod, names: Names) -> None:
    """Raise unless a type is an annotation, all of whose names exist."""
    method = bound.method
    if not (method.recipe or method.shape):
        raise bound.error("type: expected returns, as there is no recipe and no shape", "type")
    try:
        ast.parse(method.type, mode="eval")
    except SyntaxError:
        found = f"type: expected an annotation, found {method.type}"
        raise bound.error(found, "type") from None
    enums = set(ENUM.findall(method.type)) - KNOWN_TYPES
    classes = {name for name, _ in OBJECTS.values()}
    for name in WORD.findall(method.type):
        if name in KNOWN_TYPES or name in HOMES or name in classes:
            continue
        if name in enums and name not in names.enums:
            raise bound.error(f"type: there is no set of constants {name}", "type")
        if name not in enums and name not in names.records:
            expected = "type: expected records of virtproto.records, sets of constants as X | int"
            raise bound.error(f"{expected}, or builtins; found {name}", "type")


def _check_shape(bound: BoundMethod, names: Names) -> None:
    method = bound.method
    function = names.shapes.get(method.shape)
    if function is None:
        found = f"shape: there is no {method.shape} in virtproto.model.shapes"
        raise bound.error(found, "shape")
    if not (method.type or method.handle):
        raise bound.error("expected a type or handle, as there is a shape", "shape")
    given = 2 if method.returns in RECEIVED else 1
    required = [name for name in function.places if name not in function.optional]
    keywords = set(function.keywords) - function.optional
    if not len(required) <= given <= len(function.places) or keywords:
        found = f"shape: expected a function of {given}, the reply first; {method.shape} is not"
        raise bound.error(found, "shape")
    for call in bound.calls:
        if bound.ret(call) is None:
            raise bound.error(f"shape: {call} has no reply to shape", "shape")


def _check_returns(bound: BoundMethod, names: Names) -> None:
    method = bound.method
    kind, _, member = method.returns.partition(" ")
    if method.shape and kind not in RECEIVED:
        raise bound.error("expected no returns beside shape", "returns")
    if kind.startswith("enum:"):
        name = kind.removeprefix("enum:")
        if name not in names.enums:
            raise bound.error(f"returns: there is no set of constants {name}", "returns")
    elif kind not in RESULTS and kind not in RECEIVED and not _is_handle(kind):
        there_are = ", ".join((*RESULTS, *RECEIVED, "enum:NAME"))
        expected = f"returns: expected a kind, one of {there_are}, or of object, {_HANDLES}"
        raise bound.error(f"{expected}; found {kind}", "returns")
    if kind in RECEIVED:
        if member:
            raise bound.error(f"returns: expected no member with {kind}", "returns")
        return
    for call in bound.calls:
        struct = bound.ret(call)
        members = [one.name for one in struct.members] if struct else []
        if member not in members and (member or len(members) != 1):
            there_are = ", ".join(members) or "none"
            expected = f"returns: expected a member of {call}'s reply ({there_are})"
            raise bound.error(f"{expected}; found {member or 'nothing'}", "returns")
