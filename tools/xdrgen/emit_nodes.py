"""Classifies each declaration of the contract by how its values look in Python and on the wire.

The first pass of the emitter: typedefs are followed to their end, limits become numbers, and what
is left is a tree of the nodes below. Must not know: how code for a node is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdrgen.errors import XdrSemanticError
from xdrgen.model import Contract, Declaration, EnumDef, Shape, StructDef, Typedef, UnionDef

__all__ = [
    "Bytes",
    "Chars",
    "FixedBytes",
    "FixedChars",
    "Limit",
    "Maybe",
    "Node",
    "Number",
    "Params",
    "Ref",
    "String",
    "Types",
    "Vector",
]

_DEPTH = 32


@dataclass(frozen=True)
class Limit:
    """The most elements or bytes there may be, and the constant that says so ("" for none)."""

    value: int
    name: str


@dataclass(frozen=True)
class Number:
    """A number of fixed size; ``check`` is the run-time function its value goes through to pack.

    The codes are of the struct module: ``pack`` writes it, ``unpack`` reads it.
    """

    pack: str
    unpack: str
    size: int
    python: str = "int"
    check: str = ""


@dataclass(frozen=True)
class FixedBytes:
    """opaque name[N]."""

    count: int


@dataclass(frozen=True)
class FixedChars:
    """char name[N]: one word for each byte; ``signed`` unless it is unsigned char."""

    count: int
    signed: bool = True


@dataclass(frozen=True)
class String:
    """string name<N>."""

    limit: Limit


@dataclass(frozen=True)
class Bytes:
    """opaque name<N>."""

    limit: Limit


@dataclass(frozen=True)
class Chars:
    """char name<N>: one word for each byte; ``signed`` unless it is unsigned char."""

    limit: Limit
    signed: bool = True


@dataclass(frozen=True)
class Params:
    """An array of typed parameters."""

    limit: Limit


@dataclass(frozen=True)
class Ref:
    """A struct or union by its name in the .x file, with the fewest bytes it takes."""

    name: str
    minimum: int


@dataclass(frozen=True)
class Maybe:
    """T *name."""

    inner: Node


@dataclass(frozen=True)
class Vector:
    """T name<N>, or T name[N] where ``count`` is not None."""

    inner: Node
    limit: Limit
    count: int | None = None


Node = Number | FixedBytes | FixedChars | String | Bytes | Chars | Params | Ref | Maybe | Vector

_NUMBERS = {
    "int": Number("i", "i", 4),
    "unsigned int": Number("I", "I", 4),
    "hyper": Number("q", "q", 8),
    "unsigned hyper": Number("Q", "Q", 8),
    "double": Number("d", "d", 8, "float"),
    # Below a word: C writes the sign into all of the word, and reads the low bits only.
    "char": Number("i", "3xb", 4, check="signed_char"),
    "short": Number("i", "2xh", 4, check="signed_short"),
    "unsigned char": Number("3xB", "3xB", 4),
    "unsigned short": Number("2xH", "2xH", 4),
}

_CHARS = ("char", "unsigned char")
_NO_LIMIT = 0xFFFFFFFF
_WORD = 4

# A union with these cases is the value of a typed parameter (virTypedParameterType).
_TYPED_PARAM_CASES = (
    "VIR_TYPED_PARAM_INT",
    "VIR_TYPED_PARAM_UINT",
    "VIR_TYPED_PARAM_LLONG",
    "VIR_TYPED_PARAM_ULLONG",
    "VIR_TYPED_PARAM_DOUBLE",
    "VIR_TYPED_PARAM_BOOLEAN",
    "VIR_TYPED_PARAM_STRING",
)


class Types:
    """All types of a contract by name, and what each declaration amounts to."""

    def __init__(self, contract: Contract) -> None:
        self.structs: dict[str, StructDef] = {}
        self.unions: dict[str, UnionDef] = {}
        self.enums: dict[str, EnumDef] = {}
        self.typedefs: dict[str, Typedef] = {}
        self.constants: dict[str, int | str] = dict(contract.externals)
        for source in contract.files.values():
            self.structs.update(source.structs)
            self.unions.update(source.unions)
            self.enums.update(source.enums)
            self.typedefs.update(source.typedefs)
            self.constants.update({c.name: c.value for c in source.constants.values()})
        for enum in self.enums.values():
            self.constants.update(enum.members)

    def constant(self, value: int | str) -> int:
        """Return the number of a constant, which may be another constant's name."""
        for _ in range(_DEPTH):
            if isinstance(value, int):
                return value
            if value not in self.constants:
                raise XdrSemanticError(f"there is no constant {value}")
            value = self.constants[value]
        raise XdrSemanticError(f"constant {value} is defined by itself")

    def limit(self, declaration: Declaration) -> Limit:
        """Return the limit of an array, string or opaque; that of XDR itself where none is set."""
        if declaration.limit is None:
            return Limit(_NO_LIMIT, "")
        name = declaration.limit if isinstance(declaration.limit, str) else ""
        return Limit(self.constant(declaration.limit), name)

    def node(self, declaration: Declaration, depth: int = _DEPTH) -> Node:
        """Return what a declaration amounts to."""
        if depth == 0:
            raise XdrSemanticError(f"{declaration.type} contains itself", declaration.position)
        if declaration.type == "string":
            return String(self.limit(declaration))
        if declaration.shape is Shape.SCALAR:
            return self._scalar(declaration, depth)
        if declaration.shape is Shape.OPTIONAL:
            return Maybe(self._scalar(declaration, depth))
        limit = self.limit(declaration)
        count = limit.value if declaration.shape is Shape.FIXED else None
        if declaration.type == "opaque":
            return Bytes(limit) if count is None else FixedBytes(count)
        if declaration.type in _CHARS:
            signed = declaration.type == "char"
            return Chars(limit, signed) if count is None else FixedChars(count, signed)
        if count is None and self.is_typed_param(declaration.type):
            return Params(limit)
        return Vector(self._scalar(declaration, depth), limit, count)

    def is_typed_param(self, name: str) -> bool:
        """Tell whether a type is a typed parameter: a string and a union over the seven types."""
        struct = self.structs.get(name)
        if struct is None or len(struct.members) != 2:
            return False
        first, second = struct.members
        union = self.unions.get(second.type)
        if union is None or second.shape is not Shape.SCALAR:
            return False
        cases = tuple(case for case, _ in union.arms)
        return cases == _TYPED_PARAM_CASES and isinstance(self.node(first), String)

    def minimum(self, node: Node) -> int:
        """Return the fewest bytes that a value takes on the wire."""
        if isinstance(node, Number):
            return node.size
        if isinstance(node, FixedBytes):
            return (node.count + 3) & ~3
        if isinstance(node, FixedChars):
            return _WORD * node.count
        if isinstance(node, Ref):
            return node.minimum
        if isinstance(node, Vector) and node.count is not None:
            return node.count * self.minimum(node.inner)
        return _WORD

    def _scalar(self, declaration: Declaration, depth: int) -> Node:
        """Return one element of a declaration, whatever its shape."""
        name = declaration.type
        if name in _NUMBERS:
            return _NUMBERS[name]
        if name in self.typedefs:
            return self.node(self.typedefs[name].declaration, depth - 1)
        if name in self.enums:
            return _NUMBERS["int"]
        if name in self.structs:
            members = [self.node(member, depth - 1) for member in self.structs[name].members]
            return Ref(name, sum(self.minimum(member) for member in members))
        if name in self.unions:
            arms = [self.node(arm, depth - 1) for _, arm in self.unions[name].arms]
            return Ref(name, _WORD + min((self.minimum(arm) for arm in arms), default=0))
        raise XdrSemanticError(f"there is no type {name}", declaration.position)
