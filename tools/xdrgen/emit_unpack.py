"""Plans and prints how a message is unpacked.

Neighbours of fixed size are read by one call, together with the length or presence word that
follows them; what has variable size is sliced in place.
Must not know: classes, modules or how to pack.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    Types,
    Vector,
)
from xdrgen.emit_pack import Names, padded_bytes
from xdrgen.emit_text import WIDTH

__all__ = ["Unpacker", "assigned", "fixed_codes", "python_type", "record_tail"]

_DECODE = '.decode("utf-8", "surrogateescape")'


def python_type(node: Node, names: Names) -> str:
    """Return the annotation of a value."""
    if isinstance(node, Number):
        return node.python
    if isinstance(node, String):
        return "str"
    if isinstance(node, Ref):
        return names.message(node.name)
    if isinstance(node, Maybe):
        return f"{python_type(node.inner, names)} | None"
    if isinstance(node, Vector):
        return f"list[{python_type(node.inner, names)}]"
    if isinstance(node, Params):
        names.typed_params.add("TypedParams")
        return "TypedParams"
    return "bytes"


class Unpacker:
    """Writes the statements that read values from ``data`` at ``pos``, moving ``pos`` on.

    ``many`` tells for a struct of the .x files whether its class reads arrays of itself.
    """

    def __init__(self, types: Types, names: Names, many: frozenset[str], indent: int) -> None:
        self.types = types
        self.names = names
        self.many = many
        self.indent = indent
        self.lines: list[str] = []
        self._codes: list[str] = []
        self._targets: list[str] = []
        self._size = 0
        self._loops = 0

    def read(self, node: Node, target: str) -> None:
        """Add what reads one value into ``target``."""
        if isinstance(node, Number):
            self._fixed(node.unpack, node.size, target)
        elif isinstance(node, FixedBytes):
            self._fixed(padded_bytes(node.count), (node.count + 3) & ~3, target)
        elif isinstance(node, FixedChars):
            self._flush()
            size = 4 * node.count
            self._line(f"{target} = data[pos + 3 : pos + {size} : 4]")
            self._line(f"pos += {size}")
        elif isinstance(node, String | Bytes):
            self._sliced(node, target)
        elif isinstance(node, Chars):
            self._chars(node, target)
        elif isinstance(node, Params):
            self._flush()
            self.names.typed_params |= {"TypedParams", "unpack_typed_params"}
            self._line(f"{target}, pos = unpack_typed_params(data, pos, {node.limit.value})")
        elif isinstance(node, Ref):
            self._flush()
            self._line(f"{target}, pos = {self.names.message(node.name)}._unpack(data, pos)")
        elif isinstance(node, Maybe):
            self._maybe(node, target)
        else:
            self._vector(node, target)

    def finish(self, result: str) -> list[str]:
        """Return all lines, ending with the return of ``result`` and the position after it."""
        ahead = self._unpack_run()
        self._line(f"return {result}, pos + {ahead}" if ahead else f"return {result}, pos")
        return self.lines

    def _line(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)

    def _fixed(self, code: str, size: int, target: str) -> None:
        self._codes.append(code)
        self._targets.append(target)
        self._size += size

    def _flush(self) -> None:
        ahead = self._unpack_run()
        if ahead:
            self._line(f"pos += {ahead}")

    def _unpack_run(self) -> int:
        """Write the pending run, if any, and return its size, by which ``pos`` is behind."""
        size, codes, targets = self._size, self._codes, self._targets
        self._size, self._codes, self._targets = 0, [], []
        if not targets:
            return 0
        reading = f"{self.names.layout(codes)}.unpack_from(data, pos)"
        self.lines += assigned(targets, reading, self.indent)
        return size

    def _length(self, word: str) -> None:
        self._fixed("I", 4, word)
        self._flush()

    def _check_length(self, limit: Limit) -> None:
        self.names.use("over_limit")
        self._line(f"if n > {limit.value}:")
        self._line(f'    raise over_limit(n, {limit.value}, "{limit.name}", pos - 4)')

    def _check_count(self, limit: Limit, size: int) -> None:
        self.names.use("check_count")
        self._line(f'check_count(n, {limit.value}, "{limit.name}", {size}, data, pos)')

    def _sliced(self, node: String | Bytes, target: str) -> None:
        self._length("n")
        self._check_length(node.limit)
        decode = _DECODE if isinstance(node, String) else ""
        self._line(f"{target} = data[pos : pos + n]{decode}")
        self._line("pos += (n + 3) & ~3")

    def _chars(self, node: Chars, target: str) -> None:
        self._length("n")
        self._check_count(node.limit, 4)
        self._line(f"{target} = data[pos + 3 : pos + 4 * n : 4]")
        self._line("pos += 4 * n")

    def _maybe(self, node: Maybe, target: str) -> None:
        self._length("present")
        self._line("if present:")
        self.indent += 1
        self.read(node.inner, target)
        self._flush()
        self.indent -= 1
        self._line("else:")
        self._line(f"    {target} = None")

    def _vector(self, node: Vector, target: str) -> None:
        count = "n"
        if node.count is not None:
            self._flush()
            count = str(node.count)
        else:
            self._length("n")
            self._check_count(node.limit, self.types.minimum(node.inner))
        inner = node.inner
        if isinstance(inner, Number) and len(inner.unpack) == 1:
            reading = f'{self.names.use("unpack_numbers")}(data, pos, {count}, "{inner.unpack}")'
            self._line(f"{target} = {reading}")
            self._line(f"pos += {inner.size} * {count}")
        elif isinstance(inner, Ref):
            self._line(f"{target}, pos = {self._messages(inner, count)}")
        elif isinstance(inner, String):
            limit = f'{inner.limit.value}, "{inner.limit.name}"'
            reading = f"{self.names.use('unpack_strings')}(data, pos, {count}, {limit})"
            self._line(f"{target}, pos = {reading}")
        else:
            self._loop(inner, count, target)

    def _messages(self, inner: Ref, count: str) -> str:
        name = self.names.message(inner.name)
        if inner.name in self.many:
            return f"{name}._unpack_many(data, pos, {count})"
        return f"{self.names.use('unpack_messages')}({name}._unpack, data, pos, {count})"

    def _loop(self, inner: Node, count: str, target: str) -> None:
        self._loops += 1
        items, item = f"items{self._loops}", f"item{self._loops}"
        self._line(f"{items}: list[{python_type(inner, self.names)}] = []")
        self._line(f"for _ in range({count}):")
        self.indent += 1
        self.read(inner, item)
        self._flush()
        self._line(f"{items}.append({item})")
        self.indent -= 1
        self._line(f"{target} = {items}")


def assigned(targets: Sequence[str], value: str, indent: int) -> list[str]:
    """Return the assignment of a tuple to targets."""
    margin = "    " * indent
    left = f"({targets[0]},)" if len(targets) == 1 else ", ".join(targets)
    if len(f"{margin}{left} = {value}") <= WIDTH:
        return [f"{margin}{left} = {value}"]
    return [f"{margin}(", *(f"{margin}    {target}," for target in targets), f"{margin}) = {value}"]


def record_tail(nodes: Sequence[Node]) -> tuple[str, ...] | None:
    """Return the struct codes after the leading string of a struct that has only fixed ones there.

    None for any other struct.
    """
    if not nodes or not isinstance(nodes[0], String):
        return None
    return fixed_codes(nodes[1:])


def fixed_codes(nodes: Sequence[Node]) -> tuple[str, ...] | None:
    """Return the struct codes that read the nodes, None if one of them has no fixed size."""
    codes: list[str] = []
    for node in nodes:
        if isinstance(node, Number):
            codes.append(node.unpack)
        elif isinstance(node, FixedBytes):
            codes.append(padded_bytes(node.count))
        else:
            return None
    return tuple(codes)
