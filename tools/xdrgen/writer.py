"""Prints a .x file in the project's own layout, which the parser reads back to the same tables.

Constants first, then the types that several messages share, then the messages of each object by
procedure number, then the procedures with what is annotated about them. The order depends on the
declarations alone, so that importing the same facts twice gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from xdrgen.convention import ANNOTATION_KEYS, EXTERNALS_FILE, is_procedure_enum, short_name
from xdrgen.model import (
    Constant,
    Declaration,
    EnumDef,
    ProcedureDef,
    Shape,
    SourceFile,
    StructDef,
    UnionDef,
)

__all__ = ["declaration_text", "write_externals", "write_source"]

_WIDTH = 100
_INDENT = "    "

# Objects whose messages stand together; a name goes with the longest that begins it, else with its
# first word.
_OBJECTS = (
    *("STORAGE_POOL", "STORAGE_VOL", "NODE_DEVICE", "NWFILTER_BINDING", "NWFILTER"),
    *("NETWORK_PORT", "NETWORK", "DOMAIN_CHECKPOINT", "DOMAIN_SNAPSHOT", "DOMAIN_MIGRATE"),
    *("DOMAIN_BLOCK", "DOMAIN_EVENT", "DOMAIN", "CONNECT", "NODE"),
)


def write_source(source: SourceFile) -> str:
    """Return the text of one .x file."""
    return _Printer(source).text()


def write_externals(externals: Mapping[str, int]) -> str:
    """Return the text of externals.x, the constants that C headers define."""
    lines = [
        f"/* {EXTERNALS_FILE}: constants that the other files use and libvirt's C headers define:",
        " * lengths of buffers, and the virTypedParameterType that a typed parameter carries.",
        " */",
        "",
        *(_constant(Constant(name, value)) for name, value in externals.items()),
    ]
    return "\n".join(lines) + "\n"


class _Printer:
    """One file being printed; types stand before their first use."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.done: set[str] = set()
        self.lines: list[str] = []

    def text(self) -> str:
        source = self.source
        self.lines = [
            f"/* {source.name}: a part of the wire contract, written by gen_xdr.py import.",
            " * A comment of two stars annotates the procedure that follows it.",
            " */",
        ]
        self.section("constants", (_constant(c) for c in _programs_first(source.constants)))
        procedures = self.by_object()
        messages = {name for group in procedures.values() for p in group for name in _messages(p)}
        self.shared(messages)
        for title, group in procedures.items():
            self.messages(title, group)
        for enum in source.enums.values():
            if is_procedure_enum(enum.name):
                self.section("procedures", self.procedures(enum))
        return "\n".join(self.lines) + "\n"

    def section(self, title: str, lines: Iterable[str]) -> None:
        body = list(lines)
        if body:
            self.lines += ["", f"/* ---- {title} ---- */", "", *body]

    def by_object(self) -> dict[str, list[ProcedureDef]]:
        """Return the procedures that have messages, by object, each in order of number."""
        groups: dict[str, list[ProcedureDef]] = {}
        for procedure in sorted(self.source.procedures, key=lambda p: p.number):
            if _messages(procedure):
                groups.setdefault(_object(procedure), []).append(procedure)
        return groups

    def shared(self, messages: set[str]) -> None:
        """Print every type that is not the message of a procedure."""
        source = self.source
        lines: list[str] = []
        for enum in source.enums.values():
            if not is_procedure_enum(enum.name):
                lines += [*_enum(enum), ""]
        for table in (source.typedefs, source.unions, source.structs):
            for name in table:
                if name not in messages:
                    lines += self.definition(name)
        self.section("types of their own", lines[:-1] if lines and not lines[-1] else lines)

    def messages(self, title: str, procedures: list[ProcedureDef]) -> None:
        lines: list[str] = []
        for procedure in procedures:
            body = [line for name in _messages(procedure) for line in self.definition(name)]
            if body:
                lines += [f"/* {procedure.number} {short_name(procedure.name)} */", *body]
        self.section(title, lines[:-1])

    def definition(self, name: str) -> list[str]:
        """Return the lines of a type and, before them, of those that it needs; once."""
        source = self.source
        if name in self.done:
            return []
        self.done.add(name)
        if name in source.typedefs:
            declaration = source.typedefs[name].declaration
            return [*self.needed([declaration]), f"typedef {declaration_text(declaration)};", ""]
        if name in source.structs:
            struct = source.structs[name]
            return [*self.needed(struct.members), *_struct(struct), ""]
        if name in source.unions:
            union = source.unions[name]
            return [*self.needed([arm for _, arm in union.arms]), *_union(union), ""]
        return []

    def needed(self, declarations: Iterable[Declaration]) -> list[str]:
        return [line for member in declarations for line in self.definition(member.type)]

    def procedures(self, enum: EnumDef) -> Iterator[str]:
        annotated = {p.name: p.annotations for p in self.source.procedures}
        yield f"enum {enum.name} {{"
        last = len(enum.members) - 1
        for row, (name, number) in enumerate(enum.members.items()):
            yield from _annotations(annotated.get(name, {}))
            yield f"{_INDENT}{name} = {number}" + ("," if row < last else "")
        yield "};"


def _object(procedure: ProcedureDef) -> str:
    name = short_name(procedure.name)
    found = [known for known in _OBJECTS if name == known or name.startswith(known + "_")]
    title = max(found, key=len) if found else name.partition("_")[0]
    return title.lower().replace("_", " ")


def _messages(procedure: ProcedureDef) -> list[str]:
    return [name for name in (procedure.args, procedure.ret, procedure.msg) if name]


def _programs_first(constants: Mapping[str, Constant]) -> list[Constant]:
    """Return the constants with program number and version in front."""
    return sorted(
        constants.values(), key=lambda c: not c.name.endswith(("_PROGRAM", "_PROTOCOL_VERSION"))
    )


def _constant(constant: Constant) -> str:
    value = constant.value
    if isinstance(value, int) and value >= 0 and constant.name.endswith("_PROGRAM"):
        value = f"{value:#x}"
    return f"const {constant.name} = {value};"


def declaration_text(declaration: Declaration) -> str:
    """Return a declaration as a .x file has it, without the semicolon."""
    kind, name, limit = declaration.type, declaration.name, declaration.limit
    match declaration.shape:
        case Shape.FIXED:
            return f"{kind} {name}[{limit}]"
        case Shape.VARIABLE:
            return f"{kind} {name}<{limit}>"
        case Shape.OPTIONAL:
            return f"{kind} *{name}"
        case Shape.SCALAR:
            return f"{kind} {name}"


def _struct(struct: StructDef) -> list[str]:
    members = [f"{_INDENT}{declaration_text(member)};" for member in struct.members]
    return [f"struct {struct.name} {{", *members, "};"]


def _union(union: UnionDef) -> list[str]:
    arms = [f"{_INDENT}case {label}: {declaration_text(arm)};" for label, arm in union.arms]
    head = f"union {union.name} switch ({declaration_text(union.discriminant)}) {{"
    return [head, *arms, "};"]


def _enum(enum: EnumDef) -> list[str]:
    members = [f"{_INDENT}{name} = {value}," for name, value in enum.members.items()]
    members[-1] = members[-1].removesuffix(",")
    return [f"enum {enum.name} {{", *members, "};"]


def _annotations(annotations: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the comment of a procedure: on one line where it fits."""
    pairs = [f"@{key}: {value}" for key in ANNOTATION_KEYS for value in annotations.get(key, ())]
    if not pairs:
        return []
    line = f"{_INDENT}/** {' '.join(pairs)} */"
    if len(line) <= _WIDTH:
        return [line]
    first, *rest = pairs
    lines = [f"{_INDENT}/** {first}", *(f"{_INDENT} *  {pair}" for pair in rest)]
    return [*lines[:-1], lines[-1] + " */"]
