"""Plans and prints how a message is packed.

Neighbours of fixed size are written by one call, the rest piece by piece.
Responsible for: the expressions of ``_pack``. Must not know: classes, modules or how to unpack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from xdrgen.emit_nodes import (
    Bytes,
    Chars,
    FixedBytes,
    FixedChars,
    Limit,
    Maybe,
    Node,
    Number,
    Params,
    Ref,
    String,
    Vector,
)
from xdrgen.emit_text import Part, Sum, call, flat, text

__all__ = ["Names", "compressed", "layout_name", "pack_sum", "padded_bytes"]


@dataclass
class Names:
    """What the code of a module refers to, gathered while it is planned.

    ``class_of`` gives the class for a struct or union of the .x files.
    """

    class_of: Callable[[str], str]
    layouts: set[str] = field(default_factory=set)
    runtime: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    typed_params: set[str] = field(default_factory=set)

    def layout(self, codes: Iterable[str]) -> str:
        """Return the module's name of the layout for these struct codes."""
        name = compressed(codes)
        self.layouts.add(name)
        return layout_name(name)

    def use(self, function: str) -> str:
        """Return the name of a function of the run time, noted as used."""
        self.runtime.add(function)
        return function

    def message(self, xdr_name: str) -> str:
        """Return the class of a struct or union, noted as used."""
        self.messages.add(xdr_name)
        return self.class_of(xdr_name)


def compressed(codes: Iterable[str]) -> str:
    """Return struct codes as one format: i i i is 3i."""
    runs: list[tuple[str, int]] = []
    for code in codes:
        if len(code) == 1 and runs and runs[-1][0] == code:
            runs[-1] = (code, runs[-1][1] + 1)
        else:
            runs.append((code, 1))
    return "".join(code if count == 1 else f"{count}{code}" for code, count in runs)


def layout_name(format: str) -> str:
    """Return what a module calls the layout of a format."""
    return f"_{format}"


def padded_bytes(count: int) -> str:
    """Return the struct code of so many bytes and their padding."""
    padding = -count % 4
    return f"{count}s{padding}x" if padding else f"{count}s"


@dataclass(frozen=True)
class _Fixed:
    """A piece of fixed size: a struct code and the value for it."""

    code: str
    value: str


def pack_sum(nodes: Iterable[tuple[Node, str]], names: Names) -> Part:
    """Return the expression that packs values in order, each a (node, Python expression)."""
    operands: list[Part] = []
    run: list[_Fixed] = []
    for node, value in nodes:
        piece = _piece(node, value, names)
        if isinstance(piece, _Fixed):
            run.append(piece)
            continue
        operands += _run(run, names)
        operands.append(piece)
        run = []
    operands += _run(run, names)
    if not operands:
        return 'b""'
    return operands[0] if len(operands) == 1 else Sum(tuple(operands))


def _run(run: list[_Fixed], names: Names) -> list[Part]:
    if not run:
        return []
    layout = names.layout(piece.code for piece in run)
    return [call(f"{layout}.pack", *(piece.value for piece in run))]


def _piece(node: Node, value: str, names: Names) -> _Fixed | Part:
    if isinstance(node, Number):
        checked = f"{names.use(node.check)}({value})" if node.check else value
        return _Fixed(node.pack, checked)
    if isinstance(node, FixedBytes):
        return _Fixed(padded_bytes(node.count), f"{names.use('exactly')}({value}, {node.count})")
    if isinstance(node, FixedChars):
        function = "pack_char_array" if node.signed else "pack_unsigned_char_array"
        return call(names.use(function), value, str(node.count))
    if isinstance(node, String):
        return call(names.use("pack_string"), value, *_limit(node.limit))
    if isinstance(node, Bytes):
        return call(names.use("pack_opaque"), value, *_limit(node.limit))
    if isinstance(node, Chars):
        function = "pack_chars" if node.signed else "pack_unsigned_chars"
        return call(names.use(function), value, *_limit(node.limit))
    if isinstance(node, Params):
        names.typed_params.add("TypedParams")
        return call("TypedParams._pack", value, str(node.limit.value))
    if isinstance(node, Ref):
        return call(f"{names.message(node.name)}._pack", value)
    if isinstance(node, Maybe):
        return call(names.use("pack_optional"), value, _packer(node.inner, names))
    return _vector(node, value, names)


def _vector(node: Vector, value: str, names: Names) -> Part:
    inner = node.inner
    if node.count is not None:
        packer = _packer(inner, names)
        return call(names.use("pack_fixed_list"), value, packer, str(node.count))
    if isinstance(inner, Number) and not inner.check and len(inner.pack) == 1:
        code = text(inner.pack)
        return call(names.use("pack_numbers"), code, value, *_limit(node.limit))
    return call(names.use("pack_list"), value, _packer(inner, names), *_limit(node.limit))


def _packer(node: Node, names: Names) -> str:
    """Return a function that packs one value: a message's own, else one made on the spot."""
    if isinstance(node, Ref):
        return f"{names.message(node.name)}._pack"
    return f"lambda item: {flat(pack_sum([(node, 'item')], names))}"


def _limit(limit: Limit) -> tuple[str, Part]:
    return str(limit.value), text(limit.name)
