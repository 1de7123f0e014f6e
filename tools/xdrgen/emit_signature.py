"""Prints the signature of a method: its parameters with their defaults, and what it returns.

Responsible for annotations, and for what type checkers must import for them. Must not know: the
body.
"""

from __future__ import annotations

import re

from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OBJECTS, PARAMETERS, RECEIVED, RESULTS, single_of
from xdrgen.api_model import Parameter
from xdrgen.emit_imports import Imports
from xdrgen.emit_text import Part, flat, text

__all__ = ["ENUM", "HOMES", "KNOWN_TYPES", "WORD", "declared", "result"]

# In an annotation: a set of constants, whose values may be numbers without a name; any name.
ENUM = re.compile(r"\b([A-Z]\w+) \| int\b")
WORD = re.compile(r"[A-Za-z_]\w*")

# Where names of annotations are, those apart that are objects, constants or records.
HOMES = {
    "Iterable": "collections.abc",
    "Mapping": "collections.abc",
    "UUID": "uuid",
    "ParamInput": "virtproto.model.typedvalues",
    "ParamValue": "virtproto.model.typedvalues",
    "FileDescriptor": "virtproto.transport.local",
}
# Names that need no import.
KNOWN_TYPES = frozenset(
    (
        *("None", "bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list"),
        *("memoryview", "object", "str", "tuple"),
    )
)


def declared(bound: BoundMethod, parameter: Parameter, imports: Imports) -> Part:
    """Return a parameter as the signature has it."""
    annotation = _annotation(bound, parameter, imports)
    if parameter.default is None:
        return f"{parameter.name}: {annotation}"
    if parameter.default == "None":
        if "None" not in annotation:
            annotation = f"{annotation} | None"
        return f"{parameter.name}: {annotation} = None"
    return f"{parameter.name}: {annotation} = {flat(text(parameter.default))}"


def result(bound: BoundMethod, imports: Imports) -> str:
    """Return the annotation of what a method returns."""
    method = bound.method
    if method.remember:
        return "None"
    if method.handle:
        return _handle(method.handle, imports)
    if method.type:
        return _resolved(method.type, imports)
    kind = method.returns.partition(" ")[0]
    if kind.startswith("enum:"):
        return f"{imports.for_types('virtproto.constants', kind.removeprefix('enum:'))} | int"
    if kind in RECEIVED:
        return RECEIVED[kind]
    if kind in RESULTS:
        return _resolved(RESULTS[kind][0], imports)
    return _handle(kind, imports) if kind else "None"


def _annotation(bound: BoundMethod, parameter: Parameter, imports: Imports) -> str:
    if parameter.enum:
        return f"{imports.for_types('virtproto.constants', parameter.enum)} | int"
    kind = bound.kind(parameter)
    if kind in OBJECTS:
        return _object(kind, imports)
    if single_of(kind):
        imports.for_types("collections.abc", "Iterable")
        return f"Iterable[{_object(single_of(kind), imports)}]"
    return _resolved(PARAMETERS[kind].annotation, imports)


def _handle(kind: str, imports: Imports) -> str:
    if kind.startswith("optional_"):
        return f"{_object(kind.removeprefix('optional_'), imports)} | None"
    name = _object(single_of(kind), imports)
    return name if kind in OBJECTS else f"list[{name}]"


def _object(kind: str, imports: Imports) -> str:
    name, module = OBJECTS[kind]
    return imports.for_types(f"..{module}", name)


def _resolved(annotation: str, imports: Imports) -> str:
    """Return an annotation whose names are imported for type checkers."""
    constants = set(ENUM.findall(annotation))
    classes = dict(OBJECTS.values())
    for name in WORD.findall(annotation):
        if name in constants:
            imports.for_types("virtproto.constants", name)
        elif name in classes:
            imports.for_types(f"..{classes[name]}", name)
        elif name in HOMES:
            imports.for_types(HOMES[name], name)
        elif name not in KNOWN_TYPES:
            imports.for_types("virtproto.records", name)
    return annotation
