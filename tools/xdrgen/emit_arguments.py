"""Prints what a method makes of its parameters: checked values, and the arguments of its calls.

Must not know: what becomes of the reply.
"""

from __future__ import annotations

from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OBJECTS, PARAMETERS, single_of
from xdrgen.api_model import Parameter
from xdrgen.emit_imports import MethodImports
from xdrgen.emit_nodes import Bytes, Params, Vector
from xdrgen.emit_text import Bracket, Part, call, flat, text
from xdrgen.model import StructDef
from xdrgen.naming import class_name, constant_name, field_name

__all__ = ["Arguments", "connection_of", "keyword"]


def connection_of(bound: BoundMethod) -> str:
    """Return the expression for the connection that a method makes its calls on."""
    own = bound.group.owner in ("Connection", "AdminConnection")
    return "self" if own else "self._connection"


def keyword(name: str, part: Part) -> Part:
    """Return an argument given by name."""
    if isinstance(part, Bracket):
        return Bracket(f"{name}={part.start}", part.items, part.end, part.comma)
    return f"{name}={flat(part)}"


class Arguments:
    """Prints the arguments of one method."""

    def __init__(self, bound: BoundMethod, imports: MethodImports) -> None:
        self._bound = bound
        self._imports = imports

    def of_call(self, struct: StructDef) -> Part:
        """Return the message that a procedure is called with."""
        name = class_name(struct.name, self._bound.program.names.types)
        filled = self._filled(struct).items()
        return call(f"wire.{name}", *(keyword(field_name(one), part) for one, part in filled))

    def packed(self, struct: StructDef) -> str:
        """Return the arguments' XDR where the handle has nearly all of it, "" otherwise."""
        names = [one.name for one in struct.members]
        if self._bound.object or self._bound.group.owner.startswith("Admin"):
            return ""
        if len(names) == 1:
            return "self._reference()"
        flags = self._bound.method.parameter("flags")
        if len(names) == 2 and flags is not None and flags.member == names[1]:
            self._imports.module.at_load("virtproto.model.arguments", "pack_flags")
            return "self._reference() + pack_flags(flags)"
        return ""

    def of_recipe(self) -> list[Part]:
        """Return what a recipe is called with: the object, then each parameter by its name."""
        named = self._bound.object
        given: list[Part] = [] if named == "none" else [_own(named)]
        method = self._bound.method
        rest = [one for one in method.parameters if one.name != method.peer]
        return [*given, *(keyword(one.name, self.value(one)) for one in rest)]

    def beside(self) -> tuple[str, Part] | None:
        """Return the stream or the descriptors that travel with the call, if any do."""
        found = self._bound.beside()
        if found is None:
            return None
        kind, parameter = found
        if parameter is None:
            return kind, "()"
        value = self.value(parameter)
        several = self._bound.kind(parameter) in ("stream", "fds")
        return kind, value if several else Bracket("[", (value,), "]")

    def value(self, parameter: Parameter) -> Part:
        """Return the expression for what the wire or a recipe gets of a parameter."""
        checked = self.checked(parameter)
        if parameter.default != "None" or self._bound.kind(parameter).startswith("optional"):
            return checked
        node = self._bound.node(parameter)
        if isinstance(node, Bytes | Params | Vector):
            # The wire has no other way to say nothing.
            empty = {Bytes: 'b""', Params: "{}", Vector: "()"}[type(node)]
            first, name, *rest = checked.items
            nothing = f"{empty} if {parameter.name} is None else {flat(name)}"
            return Bracket(checked.start, (first, nothing, *rest), checked.end)
        self._imports.module.at_load("virtproto.model.arguments", "optional")
        return call("optional", checked.start.rstrip("("), *checked.items)

    def checked(self, parameter: Parameter) -> Bracket:
        """Return the expression for a parameter's value that is no None once it is checked."""
        kind = self._bound.kind(parameter)
        if single_of(kind):
            return self._object(parameter, kind)
        entry = PARAMETERS[kind]
        self._imports.module.at_load(f"virtproto.{entry.home}", entry.function)
        given: list[Part] = [f'"{parameter.name}"', parameter.name]
        if parameter.known:
            self._imports.module.at_load("virtproto.model.parameters", "KNOWN")
            given.append(f'KNOWN["{parameter.known}"]')
        if entry.limited:
            given.append(self._limit(parameter))
        return call(entry.function, *given)

    def _object(self, parameter: Parameter, kind: str) -> Bracket:
        name, module = OBJECTS[single_of(kind)]
        self._imports.late(f"..{module}", name)
        given = [f'"{parameter.name}"', parameter.name, name]
        if kind != "connection":
            given.append(connection_of(self._bound))
        function = {"connection": "to_peer", "stream": "to_stream"}.get(kind, "to_object")
        if kind not in OBJECTS:
            function = "to_objects"
            given.append(self._limit(parameter))
        self._imports.module.at_load("virtproto.model.arguments", function)
        return call(function, *given)

    def _limit(self, parameter: Parameter) -> str:
        prefix = self._bound.program.names.constants
        return f"wire.{constant_name(self._bound.limit(parameter), prefix)}"

    def _filled(self, struct: StructDef) -> dict[str, Part]:
        """Return what fills each member of the arguments."""
        method = self._bound.method
        filled: dict[str, Part] = {}
        rest = list(struct.members)
        if self._bound.object != "none":
            filled[rest.pop(0).name] = _own(self._bound.object)
        by_member = {one.member: one for one in method.parameters}
        for member in rest:
            parameter = by_member.get(member.name)
            sent = text(method.sends.get(member.name))
            filled[member.name] = sent if parameter is None else self.value(parameter)
        return filled


def _own(member: str) -> str:
    """Return the expression for the object itself, or for that member of its name."""
    return f"self._wire.{member}" if member else "self._wire"
