"""Prints what becomes of a reply: the lines that make a call and return what came of it.

Must not know: what the call was given.
"""

from __future__ import annotations

from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OBJECTS, OWN, RECEIVED, RESULTS, single_of
from xdrgen.emit_arguments import connection_of
from xdrgen.emit_imports import MethodImports
from xdrgen.emit_text import Part, call, flat, render
from xdrgen.naming import field_name

__all__ = ["Outcome"]


class Outcome:
    """Prints the result of one method.

    ``found`` is the expression that makes a call, or that runs a recipe; ``ret`` what its reply is
    called in the printed code.
    """

    def __init__(self, bound: BoundMethod, imports: MethodImports) -> None:
        self._bound = bound
        self._imports = imports

    def of_call(self, found: Part, indent: int, ret: str = "ret") -> list[str]:
        """Return the lines that make a call and end the method."""
        method = self._bound.method
        if method.remember == "id":
            source = f"{ret}{self._descriptors()}"
            return [
                *render(found, indent, f"{source} = "),
                _line(f"self._set_id({ret}.dom.id)", indent),
            ]
        if method.remember:
            return self._remembered(found, indent)
        if not (method.returns or method.shape):
            return render(found, indent)
        kind, _, member = method.returns.partition(" ")
        if kind in RECEIVED:
            return self._received(found, indent, kind)
        before = f"{ret}{self._descriptors()} = "
        value = self._shaped(ret) if method.shape else self._member(kind, member, ret)
        return [*render(found, indent, before), *render(value, indent, "return ")]

    def of_recipe(self, found: Part, indent: int) -> list[str]:
        """Return the lines that run a recipe and end the method."""
        method = self._bound.method
        if method.remember == "id":
            return render(call("self._set_id", flat(found)), indent)
        if method.remember:
            return self._remembered(found, indent)
        if not (method.type or method.handle):
            return render(found, indent)
        if not (method.shape or method.handle):
            return render(found, indent, "return ")
        value = self._shaped("ret") if method.shape else self._handled(method.handle, "ret")
        return [*render(found, indent, "ret = "), *render(value, indent, "return ")]

    def _descriptors(self) -> str:
        """Return what takes the descriptors that come with every call that may carry some."""
        beside = self._bound.beside()
        return ", _" if beside and beside[0] == "fds" else ""

    def _received(self, found: Part, indent: int, kind: str) -> list[str]:
        """Return the lines whose result is, or is made with, what came beside the reply."""
        if not self._bound.method.shape:
            end = "received[0]" if kind == "received_fd" else "received"
            return [*render(found, indent, "_, received = "), _line(f"return {end}", indent)]
        shaped = call(self._shape(), "ret", "received")
        return [*render(found, indent, "ret, received = "), *render(shaped, indent, "return ")]

    def _shape(self) -> str:
        module, _, function = self._bound.method.shape.rpartition(".")
        return self._imports.late(f"virtproto.model.shapes.{module}", function)

    def _shaped(self, ret: str) -> Part:
        shaped = call(self._shape(), ret)
        handle = self._bound.method.handle
        return self._handled(handle, flat(shaped)) if handle else shaped

    def _member(self, kind: str, member: str, ret: str) -> Part:
        source = f"{ret}.{field_name(member or self._only_member())}"
        if kind.startswith("enum:"):
            self._imports.late("virtproto.constants", "member")
            return call("member", f'"{kind.removeprefix("enum:")}"', source)
        if kind not in RESULTS:
            return self._handled(kind, source)
        _, form, home = RESULTS[kind]
        if home:
            self._imports.module.at_load(f"virtproto.{home}", form.partition("(")[0])
        return form.replace("{}", source)

    def _only_member(self) -> str:
        struct = self._bound.ret(self._bound.method.call)
        assert struct is not None
        return struct.members[0].name

    def _handled(self, kind: str, source: str) -> Part:
        function = "handle" if kind in OBJECTS else "handles"
        if kind.startswith("optional_"):
            function, kind = "optional_handle", kind.removeprefix("optional_")
        name, module = OBJECTS[single_of(kind)]
        self._imports.late(f"..{module}", name)
        self._imports.module.at_load("virtproto.model.object_handle", function)
        peer = self._bound.method.peer
        where = connection_of(self._bound) if peer in ("", OWN) else peer
        return call(function, name, where, source)

    def _remembered(self, found: Part, indent: int) -> list[str]:
        """Return the lines of what changes the handle without a look at the reply."""
        what, _, parameter = self._bound.method.remember.partition("=")
        if what == "name":
            return [*render(found, indent), _line(f"self._set_name({parameter})", indent)]
        self._imports.module.at_load("virtproto.model.domain_handle", "NO_ID")
        return [*render(found, indent), _line("self._set_id(NO_ID)", indent)]


def _line(text: str, indent: int) -> str:
    return f"{'    ' * indent}{text}"
