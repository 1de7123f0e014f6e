"""Prints one method of the object API: head, docstring, and the calls from refusal to result.

Puts together what ``emit_signature``, ``emit_arguments`` and ``emit_result`` print, in either
colour. Must not know: in which file the method ends up.
"""

from __future__ import annotations

from xdrgen import emit_signature
from xdrgen.api_bound import BoundMethod
from xdrgen.api_kinds import OWN
from xdrgen.emit_arguments import Arguments, connection_of
from xdrgen.emit_imports import Imports, MethodImports, import_lines
from xdrgen.emit_result import Outcome
from xdrgen.emit_text import Bracket, Part, call, flat, render

__all__ = ["print_method"]

_INDENT = 2


def print_method(bound: BoundMethod, imports: Imports, wait: str, doc: list[str]) -> list[str]:
    """Return the lines of a method; ``wait`` is "await " in the asyncio colour, "" in the other."""
    method = bound.method
    parameters = [emit_signature.declared(bound, one, imports) for one in method.parameters]
    result = emit_signature.result(bound, imports)
    signature = Bracket(f"def {method.name}(", ("self", *parameters), f") -> {result}:")
    head = render(signature, 1, "async " if wait else "")
    late = MethodImports(imports, bound.group.eager)
    printer = _Body(bound, late, wait)
    body = [*printer.refusal(), *printer.calls(result)]
    return [*head, *doc, *import_lines(late.local, _INDENT), *body]


class _Body:
    """Prints the body of one method."""

    def __init__(self, bound: BoundMethod, imports: MethodImports, wait: str) -> None:
        self._bound = bound
        self._method = bound.method
        self._imports = imports
        self._wait = wait
        self._arguments = Arguments(bound, imports)
        self._outcome = Outcome(bound, imports)

    def refusal(self) -> list[str]:
        """Return the lines that refuse a read-only connection."""
        method = self._method
        if method.writes:
            return [f'        self._require_writable("{method.name}")']
        if method.writes_with_flags:
            asked = f"{self._checked('flags')} & {method.writes_with_flags}"
            too_much = f"flags & {method.writes_with_flags}"
            return [f"        if {asked}:", *self._refusal_of("flags", too_much)]
        if method.writes_with:
            each = [f"{self._checked(name)} == {at}" for name, at in method.writes_with.items()]
            name, at = next(iter(method.writes_with.items()))
            return [f"        if {' and '.join(each)}:", *self._refusal_of(name, str(at))]
        return []

    def _refusal_of(self, name: str, too_much: str) -> list[str]:
        """Return the lines that refuse a value of a parameter that has an enum."""
        parameter = self._method.parameter(name)
        assert parameter is not None
        given = (f'"{self._method.name}"', f'"{parameter.enum}"', too_much)
        return render(call("self._require_writable", *given), _INDENT + 1)

    def calls(self, result: str) -> list[str]:
        """Return the lines that make the calls, and return what came of them."""
        method = self._method
        if method.recipe:
            return self._outcome.of_recipe(self._run(), _INDENT)
        if not method.call_with_flags:
            return self._one_call(method.call, _INDENT)
        first = [
            f"        if {self._checked('flags')}:",
            *self._one_call(method.call_with_flags, _INDENT + 1, "ret_with_flags"),
        ]
        if result == "None":
            return [*first, "        else:", *self._one_call(method.call, _INDENT + 1)]
        return [*first, *self._one_call(method.call, _INDENT)]

    def _checked(self, name: str) -> str:
        parameter = self._method.parameter(name)
        assert parameter is not None
        return flat(self._arguments.checked(parameter))

    def _run(self) -> Part:
        """Return the expression that runs the recipe."""
        module, _, function = self._method.recipe.rpartition(".")
        self._imports.late(f"virtproto.model.recipes.{module}", function)
        recipe = call(function, *self._arguments.of_recipe())
        peer = self._method.peer
        if not peer:
            return call(f"{self._wait}self._run", recipe)
        other = connection_of(self._bound) if peer == OWN else peer
        return call(f"{self._wait}self._run_between", recipe, other)

    def _one_call(self, name: str, indent: int, ret: str = "ret") -> list[str]:
        return self._outcome.of_call(self._asked(name), indent, ret)

    def _asked(self, name: str) -> Part:
        """Return the expression that makes the call."""
        constant = f"wire.{name}"
        struct = self._bound.args(name)
        if struct is None:
            return call(f"{self._wait}self._ask", constant, 'b""')
        beside = self._arguments.beside()
        packed = "" if beside else self._arguments.packed(struct)
        if packed:
            return call(f"{self._wait}self._ask", constant, packed)
        message = self._arguments.of_call(struct)
        if not beside:
            return call(f"{self._wait}self._call", constant, message)
        kind, part = beside
        return call(f"{self._wait}self._call_with_{kind}", constant, message, part)
