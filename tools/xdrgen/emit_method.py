"""Prints one method of the object API: its signature, and the lines between it and its result.

Responsible for the code of a method in either colour. Names that it needs are collected by
``Imports``. Must not know: in which file the method ends up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xdrgen.api_kinds import OBJECTS, PARAMETERS, RESULTS, kind_of, limit_of
from xdrgen.api_model import Method, Parameter, Room
from xdrgen.emit_imports import Imports, import_lines
from xdrgen.emit_nodes import Bytes, Node, Params, Types, Vector
from xdrgen.emit_text import Bracket, Part, call, flat, render, text
from xdrgen.model import ProcedureDef, StructDef
from xdrgen.naming import FileNames, class_name, constant_name, field_name

__all__ = ["Program", "print_method"]

_CONSTANT = re.compile(r"\b([A-Z]\w+) \| int\b")
_WORD = re.compile(r"[A-Za-z_]\w*")
_BUILTIN = frozenset(
    ("None", "bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "str", "tuple")
)
_INDENT = 2


@dataclass(frozen=True)
class Program:
    """What a method must know of the contract: the program's procedures, structs and names."""

    names: FileNames
    procedures: Mapping[str, ProcedureDef]
    types: Types

    def message(self, struct: str) -> str:
        """Return a message class as the printed code has it."""
        return f"wire.{class_name(struct, self.names.types)}"

    def node(self, struct: StructDef, member: str) -> Node:
        """Return what a member of a struct is."""
        found = next(one for one in struct.members if one.name == member)
        return self.types.node(found)


class MethodPrinter:
    """Prints one method; made anew for each."""

    def __init__(
        self, room: Room, method: Method, program: Program, imports: Imports, wait: str
    ) -> None:
        self._room = room
        self._method = method
        self._program = program
        self._imports = imports
        self._wait = wait
        self._local: dict[str, set[str]] = {}
        own = room.owner in ("Connection", "AdminConnection")
        self._connection = "self" if own else "self._connection"

    def lines(self, doc: list[str]) -> list[str]:
        """Return the method's lines."""
        body = [*self._refusal(), *self._body()]
        head = render(
            Bracket(f"def {self._method.name}(", self._signature(), f") -> {self._result()}:"),
            1,
            "async " if self._wait else "",
        )
        return [*head, *doc, *import_lines(self._local, 2), *body]

    # The signature.

    def _signature(self) -> tuple[Part, ...]:
        return ("self", *(self._declared(one) for one in self._method.parameters))

    def _declared(self, parameter: Parameter) -> str:
        annotation = self._annotation(parameter)
        if parameter.default is None:
            return f"{parameter.name}: {annotation}"
        if parameter.default == "None":
            if "None" not in annotation:
                annotation = f"{annotation} | None"
            return f"{parameter.name}: {annotation} = None"
        return f"{parameter.name}: {annotation} = {flat(text(parameter.default))}"

    def _annotation(self, parameter: Parameter) -> str:
        if parameter.enum:
            return f"{self._imports.for_types('virtproto.constants', parameter.enum)} | int"
        kind = self._kind(parameter)
        if kind in OBJECTS:
            return self._object_type(kind)
        if kind.removesuffix("s") in OBJECTS:
            self._imports.for_types("collections.abc", "Iterable")
            return f"Iterable[{self._object_type(kind.removesuffix('s'))}]"
        annotation = PARAMETERS[kind].annotation
        for word, module in (
            ("Iterable", "collections.abc"),
            ("Mapping", "collections.abc"),
            ("UUID", "uuid"),
            ("ParamValue", "virtproto.model.typedvalues"),
            ("FileDescriptor", "virtproto.transport.local"),
        ):
            if re.search(rf"\b{word}\b", annotation):
                self._imports.for_types(module, word)
        return annotation

    def _object_type(self, kind: str) -> str:
        name, module = OBJECTS[kind]
        return self._imports.for_types(f"..{module}", name)

    def _kind(self, parameter: Parameter) -> str:
        kind = parameter.kind or self._kind_by_contract(parameter)
        known = kind in PARAMETERS or kind in OBJECTS or kind.removesuffix("s") in OBJECTS
        if not known:
            raise self._error(f"{parameter.name} has no kind of its own: expected one", kind)
        if parameter.name == "flags" and kind == "uint":
            return "flags"
        return kind

    def _kind_by_contract(self, parameter: Parameter) -> str:
        node = self._node(parameter)
        if node is None:
            return "uint" if parameter.name == "flags" else ""
        return kind_of(node)

    def _node(self, parameter: Parameter) -> Node | None:
        """Return the member that a parameter fills, in whichever call has it."""
        for name in (self._method.call_with_flags, self._method.call):
            struct = self._struct(self._procedure(name).args) if name else None
            if struct and any(one.name == parameter.member for one in struct.members):
                return self._program.node(struct, parameter.member)
        return None

    def _result(self) -> str:
        method = self._method
        if method.remember:
            return "None"
        if method.handle:
            return self._handle_type(method.handle)
        if method.type:
            return self._resolved(method.type)
        if not method.returns:
            return "None"
        kind = method.returns.partition(" ")[0]
        if kind.startswith("enum:"):
            name = self._imports.for_types("virtproto.constants", kind.removeprefix("enum:"))
            return f"{name} | int"
        if kind in ("received_fd", "received_fds"):
            return "int" if kind == "received_fd" else "list[int]"
        if kind in RESULTS:
            return self._resolved(RESULTS[kind][0])
        return self._handle_type(kind)

    def _handle_type(self, kind: str) -> str:
        if kind in OBJECTS:
            return self._object_type(kind)
        if kind.startswith("optional_") and kind.removeprefix("optional_") in OBJECTS:
            return f"{self._object_type(kind.removeprefix('optional_'))} | None"
        if kind.removesuffix("s") in OBJECTS:
            return f"list[{self._object_type(kind.removesuffix('s'))}]"
        raise self._error(f"expected a kind of result, found {kind!r}", kind)

    def _resolved(self, annotation: str) -> str:
        """Return an annotation whose names are imported for type checkers."""
        constants = set(_CONSTANT.findall(annotation))
        classes = dict(OBJECTS.values())
        for name in _WORD.findall(annotation):
            if name in constants:
                self._imports.for_types("virtproto.constants", name)
            elif name in classes:
                self._imports.for_types(f"..{classes[name]}", name)
            elif name == "ParamValue":
                self._imports.for_types("virtproto.model.typedvalues", name)
            elif name in ("Iterable", "Mapping"):
                self._imports.for_types("collections.abc", name)
            elif name not in _BUILTIN:
                self._imports.for_types("virtproto.records", name)
        return annotation

    # The body.

    def _refusal(self) -> list[str]:
        method = self._method
        refusal = f'self._require_writable("{method.name}")'
        if method.writes:
            return [f"        {refusal}"]
        if method.writes_with_flags:
            flags = flat(self._converted(self._flags()))
            return [f"        if {flags} & {method.writes_with_flags}:", f"            {refusal}"]
        if method.writes_with:
            asked = [
                f"{flat(self._converted(self._named(name)))} == {value}"
                for name, value in method.writes_with.items()
            ]
            return [f"        if {' and '.join(asked)}:", f"            {refusal}"]
        return []

    def _flags(self) -> Parameter:
        return self._named("flags")

    def _named(self, name: str) -> Parameter:
        found = self._method.parameter(name)
        if found is None:
            raise self._error(f"expected a parameter called {name}")
        return found

    def _body(self) -> list[str]:
        method = self._method
        if method.recipe:
            return self._finish(self._run(), is_message=False, indent=_INDENT)
        if not method.call_with_flags:
            return self._one_call(method.call, _INDENT)
        first = [
            f"        if {flat(self._converted(self._flags()))}:",
            *self._one_call(method.call_with_flags, _INDENT + 1, "ret_with_flags"),
        ]
        if self._result() == "None":
            return [*first, "        else:", *self._one_call(method.call, _INDENT + 1)]
        return [*first, *self._one_call(method.call, _INDENT)]

    def _run(self) -> Part:
        method = self._method
        module, _, function = method.recipe.rpartition(".")
        self._import(f"virtproto.model.recipes.{module}", function)
        given: list[Part] = [] if self._room.object == "none" else ["self._wire"]
        if self._room.object not in ("", "none"):
            given = [f"self._wire.{self._room.object}"]
        for one in method.parameters:
            if one.name != method.peer:
                given.append(_keyword(one.name, self._part(one)))
        recipe = call(function, *given)
        if method.peer:
            return call(f"{self._wait}self._run_between", recipe, method.peer)
        return call(f"{self._wait}self._run", recipe)

    def _one_call(self, name: str, indent: int, ret: str = "ret") -> list[str]:
        procedure = self._procedure(name)
        constant = f"wire.{self._short(procedure)}"
        found = self._asked(procedure, constant)
        has_ret = procedure.ret is not None
        return self._finish(found, is_message=True, indent=indent, has_ret=has_ret, ret=ret)

    def _asked(self, procedure: ProcedureDef, constant: str) -> Part:
        """Return the expression that makes the call."""
        struct = self._struct(procedure.args)
        if struct is None:
            return call(f"{self._wait}self._ask", constant, 'b""')
        extra = self._extra()
        packed = "" if extra else self._packed(struct)
        if packed:
            return call(f"{self._wait}self._ask", constant, packed)
        bound = self._bound(struct)
        filled = tuple(_keyword(field_name(one), part) for one, part in bound.items())
        args = call(self._program.message(struct.name), *filled)
        if not extra:
            return call(f"{self._wait}self._call", constant, args)
        kind, part = extra
        way = "_call_with_stream" if kind == "stream" else "_call_with_fds"
        return call(f"{self._wait}self.{way}", constant, args, part)

    def _extra(self) -> tuple[str, Part] | None:
        """Return the stream or the descriptors that travel with the call, if any do."""
        for one in self._method.parameters:
            kind = self._kind(one)
            if kind in ("stream", "fds"):
                return kind, self._part(one)
            if kind in ("fd", "socket"):
                return "fds", Bracket("[", (self._part(one),), "]")
        if self._method.returns.startswith("received_fd"):
            return "fds", "()"
        return None

    def _extra_kind(self) -> str:
        extra = self._extra()
        return extra[0] if extra else ""

    def _bound(self, struct: StructDef) -> dict[str, Part]:
        """Return what fills each member of the arguments."""
        bound: dict[str, Part] = {}
        rest = list(struct.members)
        named = self._method.object or self._room.object
        if named != "none":
            first = rest.pop(0)
            bound[first.name] = "self._wire" if not named else f"self._wire.{named}"
        by_member = {one.member: one for one in self._method.parameters}
        for member in rest:
            if member.name in by_member:
                bound[member.name] = self._part(by_member[member.name])
            elif member.name in self._method.sends:
                bound[member.name] = text(self._method.sends[member.name])
            else:
                raise self._error(f"nothing fills {member.name} of {struct.name}")
        return bound

    def _packed(self, struct: StructDef) -> str:
        """Return the arguments' XDR where the handle has nearly all of it, "" otherwise."""
        whole = not (self._method.object or self._room.object)
        names = [one.name for one in struct.members]
        if not whole or self._room.owner.startswith("Admin"):
            return ""
        if len(names) == 1:
            return "self._reference()"
        flags = self._method.parameter("flags")
        if len(names) == 2 and flags is not None and flags.member == names[1]:
            self._imports.at_load("virtproto.model.arguments", "pack_flags")
            return "self._reference() + pack_flags(flags)"
        return ""

    def _part(self, parameter: Parameter) -> Part:
        converted = self._converted(parameter)
        if parameter.default != "None" or self._kind(parameter).startswith("optional"):
            return converted
        name = f'"{parameter.name}"'
        if isinstance(self._node(parameter), Bytes | Params | Vector):
            # The wire has no other way to say nothing.
            rest = tuple(one for one in converted.items if one not in (name, parameter.name))
            nothing = f"() if {parameter.name} is None else {parameter.name}"
            return Bracket(converted.start, (name, nothing, *rest), converted.end)
        self._imports.at_load("virtproto.model.arguments", "optional")
        return call("optional", converted.start.rstrip("("), *converted.items)

    def _converted(self, parameter: Parameter) -> Bracket:
        """Return the expression for a parameter's value once it is checked."""
        kind = self._kind(parameter)
        name = parameter.name
        if kind in OBJECTS or kind.removesuffix("s") in OBJECTS:
            return self._converted_object(parameter, kind)
        entry = PARAMETERS[kind]
        self._imports.at_load(f"virtproto.{entry.home}", entry.function)
        given: list[Part] = [f'"{name}"', name]
        if kind == "params":
            if not parameter.known:
                raise self._error(f"{name}: expected known, the table of its parameters")
            self._imports.at_load("virtproto.model.parameters", "KNOWN")
            given.append(f'KNOWN["{parameter.known}"]')
        if entry.limited:
            given.append(self._limit(parameter))
        return call(entry.function, *given)

    def _converted_object(self, parameter: Parameter, kind: str) -> Bracket:
        name, module = OBJECTS[kind if kind in OBJECTS else kind.removesuffix("s")]
        self._import(f"..{module}", name)
        given = [f'"{parameter.name}"', parameter.name, name, self._connection]
        if kind == "connection":
            function, given = "to_peer", given[:3]
        elif kind == "stream":
            function = "to_stream"
        elif kind in OBJECTS:
            function = "to_object"
        else:
            function = "to_objects"
            given.append(self._limit(parameter))
        self._imports.at_load("virtproto.model.arguments", function)
        return call(function, *given)

    def _limit(self, parameter: Parameter) -> str:
        node = self._node(parameter)
        name = parameter.limit or (limit_of(node) if node is not None else "")
        if not name:
            raise self._error(f"{parameter.name}: expected limit, a constant of the contract")
        return f"wire.{constant_name(name, self._program.names.constants)}"

    # The result.

    def _finish(
        self,
        found: Part,
        *,
        is_message: bool,
        indent: int,
        has_ret: bool = True,
        ret: str = "ret",
    ) -> list[str]:
        """Return the lines that make the call and return what came of it."""
        method = self._method
        if method.remember:
            return self._remembered(found, indent, is_message)
        if not (method.returns or method.shape or method.type or method.handle):
            return render(found, indent)
        kind, _, member = method.returns.partition(" ")
        if kind in ("received_fd", "received_fds"):
            if method.shape:
                return self._shaped_with_fds(found, indent)
            end = "received[0]" if kind == "received_fd" else "received"
            return [*render(found, indent, "_, received = "), f"{'    ' * indent}return {end}"]
        if not is_message and not method.handle and not method.shape:
            return render(found, indent, "return ")
        if is_message and not has_ret:
            raise self._error("expected no result: the procedure has none")
        value = self._value(kind, member, is_message, ret)
        fds = ", _" if self._extra_kind() == "fds" else ""
        return [*render(found, indent, f"{ret}{fds} = "), *render(value, indent, "return ")]

    def _shaped_with_fds(self, found: Part, indent: int) -> list[str]:
        """Return the lines whose result is made of the reply and what came beside it."""
        module, _, function = self._method.shape.rpartition(".")
        self._import(f"virtproto.model.shapes.{module}", function)
        shaped = call(function, "ret", "received")
        return [*render(found, indent, "ret, received = "), *render(shaped, indent, "return ")]

    def _value(self, kind: str, member: str, is_message: bool, ret: str) -> Part:
        method = self._method
        if method.shape:
            module, _, function = method.shape.rpartition(".")
            self._import(f"virtproto.model.shapes.{module}", function)
            shaped = call(function, ret)
            return self._handled(method.handle, flat(shaped)) if method.handle else shaped
        if not is_message:
            return self._handled(method.handle, ret)
        source = f"{ret}.{field_name(member or self._only_member())}"
        if kind.startswith("enum:"):
            self._import("virtproto.constants", "member")
            return call("member", f'"{kind.removeprefix("enum:")}"', source)
        if kind in RESULTS:
            _, form, home = RESULTS[kind]
            if home:
                function = form.partition("(")[0]
                self._imports.at_load(f"virtproto.{home}", function)
            return form.replace("{}", source)
        return self._handled(kind, source)

    def _handled(self, kind: str, source: str) -> Part:
        single = kind.removeprefix("optional_")
        function = "optional_handle" if kind.startswith("optional_") else "handle"
        if single not in OBJECTS:
            single, function = kind.removesuffix("s"), "handles"
        name, module = OBJECTS[single]
        self._import(f"..{module}", name)
        self._imports.at_load("virtproto.model.object_handle", function)
        peer = self._method.peer
        return call(function, name, peer or self._connection, source)

    def _only_member(self) -> str:
        struct = self._struct(self._procedure(self._method.call).ret)
        if struct is None or len(struct.members) != 1:
            raise self._error("expected returns to name a member of the result")
        return struct.members[0].name

    def _remembered(self, found: Part, indent: int, is_message: bool) -> list[str]:
        what, _, parameter = self._method.remember.partition("=")
        margin = "    " * indent
        if what == "id" and is_message:
            ret = "ret, _" if self._extra_kind() in ("fd", "fds") else "ret"
            return [*render(found, indent, f"{ret} = "), f"{margin}self._set_id(ret.dom.id)"]
        if what == "id":
            return render(call("self._set_id", flat(found)), indent)
        if what == "stopped":
            self._imports.at_load("virtproto.model.domain_handle", "NO_ID")
            return [*render(found, indent), f"{margin}self._set_id(NO_ID)"]
        if what == "name":
            return [*render(found, indent), f"{margin}self._set_name({parameter})"]
        raise self._error(f"expected remember to be id, stopped or name=..., found {what!r}")

    # What all of it stands on.

    def _import(self, module: str, name: str) -> None:
        if self._room.eager and not module.startswith(".."):
            self._imports.at_load(module, name)
        else:
            self._local.setdefault(module, set()).add(name)

    def _procedure(self, short: str) -> ProcedureDef:
        found = self._program.procedures.get(short)
        if found is None:
            raise self._error(f"there is no procedure {short} in {self._room.program}")
        return found

    def _short(self, procedure: ProcedureDef) -> str:
        return next(name for name, one in self._program.procedures.items() if one is procedure)

    def _struct(self, name: str | None) -> StructDef | None:
        return None if name is None else self._program.types.structs[name]

    def _error(self, message: str, found: str = "") -> Exception:
        return self._room.error(message, self._method.name)


def print_method(
    room: Room, method: Method, program: Program, imports: Imports, wait: str, doc: list[str]
) -> list[str]:
    """Return the lines of a method; ``wait`` is "await " in the asyncio colour, "" in the other."""
    return MethodPrinter(room, method, program, imports, wait).lines(doc)


def _keyword(name: str, part: Part) -> Part:
    """Return an argument given by name."""
    return _prefixed(f"{name}=", part) if isinstance(part, Bracket) else f"{name}={flat(part)}"


def _prefixed(words: str, part: Bracket) -> Bracket:
    return Bracket(words + part.start, part.items, part.end, part.comma)
