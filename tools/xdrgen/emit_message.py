"""Prints the class of one struct or union.

Responsible for: the text of a class from its planned fields.
Must not know: which module it lands in, or which procedure carries it beyond the sentence that its
docstring opens with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdrgen.emit_nodes import Node, String, Types
from xdrgen.emit_pack import Names, compressed, pack_sum
from xdrgen.emit_text import Bracket, render, returned, text
from xdrgen.emit_unpack import Unpacker, assigned, fixed_codes, python_type, record_tail
from xdrgen.model import StructDef, UnionDef
from xdrgen.naming import class_name, field_name, shouting

__all__ = ["Field", "fields_of", "print_struct", "print_union", "reads_many"]

_BODY = 2  # depth of a method's statements


@dataclass(frozen=True)
class Field:
    """A member of a struct: its attribute and what its values are."""

    name: str
    node: Node


def fields_of(struct: StructDef, types: Types) -> tuple[Field, ...]:
    """Return the planned fields of a struct, in wire order."""
    return tuple(Field(field_name(m.name), types.node(m)) for m in struct.members)


def reads_many(fields: Sequence[Field]) -> bool:
    """Tell whether arrays of such a struct can be read faster than one by one."""
    nodes = [field.node for field in fields]
    return bool(nodes) and (fixed_codes(nodes) is not None or record_tail(nodes) is not None)


def print_struct(
    struct: StructDef,
    name: str,
    summary: str,
    types: Types,
    names: Names,
    many: frozenset[str],
    secrets: Sequence[str] = (),
) -> list[str]:
    """Return the lines of a struct's class; ``many`` names the structs that read arrays."""
    fields = fields_of(struct, types)
    lines: list[str] = []
    if struct.name in many:
        lines += _record_layouts(name, fields, names)
    lines += _head(struct.name, name, summary, [field.name for field in fields], secrets)
    lines += _constructor([(f.name, python_type(f.node, names)) for f in fields])
    packing = pack_sum([(field.node, f"self.{field.name}") for field in fields], names)
    lines += ["", "    def _pack(self) -> bytes:", *returned(packing, _BODY)]
    lines += ["", *_unpack_head()]
    unpacker = Unpacker(types, names, many, _BODY)
    for field in fields:
        unpacker.read(field.node, f"self.{field.name}")
    lines += ["        self = cls.__new__(cls)", *unpacker.finish("self")]
    if struct.name in many:
        lines += ["", *_unpack_many(name, fields, names)]
    return lines


def print_union(
    union: UnionDef, name: str, summary: str, types: Types, names: Names, many: frozenset[str]
) -> list[str]:
    """Return the lines of a union's class: the discriminant as ``type``, one value for all arms."""
    arms = [(types.constant(case), types.node(arm)) for case, arm in union.arms]
    alternatives = list(dict.fromkeys(python_type(node, names) for _, node in arms))
    lines = _head(union.name, name, summary, ["type", "value"], ())
    lines += _constructor([("type", "int"), ("value", " | ".join(alternatives))])
    lines += ["", "    def _pack(self) -> bytes:", "        kind = self.type"]
    lines.append("        value: Any = self.value")
    for case, node in arms:
        packing = pack_sum([(types.node(union.discriminant), str(case)), (node, "value")], names)
        lines += [f"        if kind == {case}:", *returned(packing, _BODY + 1)]
    unknown = names.use("unknown_arm_to_pack")
    lines += [f'        raise {unknown}(kind, "{union.name}")', "", *_unpack_head()]
    lines += [
        "        self = cls.__new__(cls)",
        f"        (kind,) = {names.layout(['i'])}.unpack_from(data, pos)",
        "        self.type = kind",
        "        pos += 4",
    ]
    for case, node in arms:
        unpacker = Unpacker(types, names, many, _BODY + 1)
        unpacker.read(node, "self.value")
        lines += [f"        if kind == {case}:", *unpacker.finish("self")]
    return [*lines, f'        raise {names.use("unknown_arm")}(kind, "{union.name}", pos - 4)']


def _head(
    xdr_name: str, name: str, summary: str, slots: Sequence[str], secrets: Sequence[str]
) -> list[str]:
    lines = [f"class {name}(Message):", f'    """{summary}"""', ""]
    lines += render(text(tuple(slots)), 1, "__slots__ = ")
    lines.append(f'    XDR_NAME = "{xdr_name}"')
    if secrets:
        lines += render(text(tuple(field_name(s) for s in secrets)), 1, "SECRET_FIELDS = ")
    return lines


def _constructor(fields: Sequence[tuple[str, str]]) -> list[str]:
    parameters = ("self", *(f"{name}: {annotation}" for name, annotation in fields))
    lines = ["", *render(Bracket("(", parameters, ") -> None:"), 1, "def __init__")]
    return lines + [f"        self.{name} = {name}" for name, _ in fields] if fields else []


def _unpack_head() -> list[str]:
    return [
        "    @classmethod",
        "    def _unpack(cls, data: bytes, pos: int) -> tuple[Self, int]:",
    ]


def _records(name: str) -> str:
    return f"_{shouting(class_name(name, ''))}_RECORDS"


def _record_layouts(name: str, fields: Sequence[Field], names: Names) -> list[str]:
    tail = record_tail([field.node for field in fields])
    if tail is None or not isinstance(fields[0].node, String):
        return []
    limit = fields[0].node.limit
    made = f'{names.use("RecordLayouts")}("{compressed(tail)}", {limit.value}, "{limit.name}")'
    return [f"{_records(name)} = {made}", "", ""]


def _unpack_many(name: str, fields: Sequence[Field], names: Names) -> list[str]:
    head = [
        "    @classmethod",
        "    def _unpack_many(cls, data: bytes, pos: int, count: int) -> tuple[list[Self], int]:",
    ]
    codes = fixed_codes([field.node for field in fields])
    if codes is not None:
        return head + _unpack_many_fixed(fields, codes, names)
    return head + _unpack_many_records(name, fields, names)


def _unpack_many_fixed(fields: Sequence[Field], codes: Sequence[str], names: Names) -> list[str]:
    """Print the reading of an array whose elements have all the same size."""
    layout = names.layout(codes)
    targets = [f"item.{field.name}" for field in fields]
    return [
        f"        items = {names.use('blank')}(cls, count)",
        f"        end = pos + {layout}.size * count",
        f"        rows = {layout}.iter_unpack(data[pos:end])",
        "        for item, row in zip(items, rows, strict=True):",
        *assigned(targets, "row", _BODY + 1),
        "        return items, end",
    ]


def _unpack_many_records(name: str, fields: Sequence[Field], names: Names) -> list[str]:
    """Print the reading of an array whose elements begin with a string and are else of one size.

    Each call reads one record and the length of the next; after the last there is no next, so that
    one is read by ``_unpack``.
    """
    text_field = fields[0].name
    targets = ", ".join(["text", *(f"item.{field.name}" for field in fields[1:]), "length"])
    return [
        "        if not count:",
        "            return [], pos",
        f"        items = {names.use('blank')}(cls, count - 1)",
        f"        (length,) = {names.layout(['I'])}.unpack_from(data, pos)",
        "        pos += 4",
        "        known = -1",
        "        for item in items:",
        "            if length != known:",
        f"                unpack, size = {_records(name)}[length]",
        "                known = length",
        f"            {targets} = unpack(data, pos)",
        f'            item.{text_field} = text.decode("utf-8", "surrogateescape")',
        "            pos += size",
        "        last, pos = cls._unpack(data, pos - 4)",
        "        items.append(last)",
        "        return items, pos",
    ]
