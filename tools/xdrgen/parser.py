"""Reads one .x file into a SourceFile: the XDR that libvirt's files use, and no more of XDR.

Looks at one file alone. What other files must define, how procedures bind to their structs and
whether limits hold is judged in resolve.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from xdrgen.annotations import parse_annotations
from xdrgen.convention import is_procedure_enum
from xdrgen.errors import XdrSemanticError, XdrSyntaxError
from xdrgen.lexer import END, NAME, NUMBER, Token, tokenize
from xdrgen.model import (
    Constant,
    Declaration,
    EnumDef,
    Position,
    ProcedureDef,
    Remark,
    Shape,
    SourceFile,
    StructDef,
    Typedef,
    UnionDef,
)

__all__ = ["parse"]

_SIGNED = frozenset({"int", "hyper", "char", "short"})
_BUILT_IN = _SIGNED | {"double", "string", "opaque"}
# Words of XDR that cannot name anything; those of C and Python (from, long) can.
_RESERVED = _BUILT_IN | {
    *("bool", "case", "const", "default", "enum", "float", "quadruple", "struct", "switch"),
    *("typedef", "union", "unsigned", "void"),
}
# Words that C needs in front of a type's name and XDR allows there.
_TAGS = ("struct", "union", "enum")
_DEFINITIONS = "'const', 'typedef', 'struct', 'union' or 'enum'"


def parse(text: str, name: str, path: str | None = None) -> SourceFile:
    """Return the declarations of a .x text; ``name`` is the file's, ``path`` stands in messages.

    Raises XdrSyntaxError and XdrSemanticError with line and what was expected.
    """
    return _Parser(tokenize(text, path or name), name).parse()


@dataclass
class _Tables:
    """What has been read so far, under every name that C would give it."""

    constants: dict[str, Constant] = field(default_factory=dict)
    enums: dict[str, EnumDef] = field(default_factory=dict)
    typedefs: dict[str, Typedef] = field(default_factory=dict)
    structs: dict[str, StructDef] = field(default_factory=dict)
    unions: dict[str, UnionDef] = field(default_factory=dict)
    procedures: list[ProcedureDef] = field(default_factory=list)
    places: dict[str, Position] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


class _Parser:
    """Recursive descent over the tokens of one file."""

    def __init__(self, tokens: list[Token], name: str) -> None:
        self.tokens = tokens
        self.index = 0
        self.name = name
        self.tables = _Tables()
        self.procedure_enum: Token | None = None

    def parse(self) -> SourceFile:
        while self.token.kind != END:
            self.definition()
        tables = self.tables
        return SourceFile(
            self.name,
            tables.constants,
            tables.enums,
            tables.typedefs,
            tables.structs,
            tables.unions,
            tuple(tables.procedures),
            tuple(tables.remarks),
        )

    # -- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def fail(self, expected: str, token: Token | None = None) -> NoReturn:
        token = token or self.token
        raise XdrSyntaxError(f"expected {expected}, found {token.shown}", token.position)

    def take(self) -> Token:
        token = self.token
        if token.kind != END:
            self.index += 1
        return token

    def at(self, *texts: str) -> bool:
        return self.token.kind != END and self.token.text in texts

    def accept(self, text: str) -> bool:
        if self.at(text):
            self.index += 1
            return True
        return False

    def expect(self, text: str, or_else: str = "") -> Token:
        if not self.at(text):
            self.fail(f"'{text}'" + or_else)
        return self.take()

    def expect_name(self, what: str) -> Token:
        if self.token.kind != NAME or self.token.text in _RESERVED:
            self.fail(what)
        return self.take()

    def expect_value(self, what: str) -> int | str:
        """Take a number or the name of a constant."""
        if self.token.kind == NUMBER:
            return self.take().value
        return self.expect_name(what).text

    def declare(self, token: Token) -> str:
        """Note a new global name; constants, enumerators and types share one space, as in C."""
        self.unique(self.tables.places, token)
        return token.text

    def unique(self, places: dict[str, Position], token: Token) -> None:
        if token.text in places:
            raise XdrSemanticError(
                f"expected a name that is still free, found '{token.text}', "
                f"declared at {places[token.text]}",
                token.position,
            )
        places[token.text] = token.position

    # -- definitions

    def definition(self) -> None:
        keyword = self.take()
        match keyword.text:
            case "const":
                self.constant()
            case "typedef":
                self.typedef()
            case "struct":
                self.struct()
            case "union":
                self.union()
            case "enum":
                self.enum()
            case _:
                self.fail(_DEFINITIONS, keyword)
        self.expect(";")

    def constant(self) -> None:
        token = self.expect_name("the name of a constant")
        name = self.declare(token)
        self.expect("=")
        value = self.expect_value("a number or the name of a constant")
        self.tables.constants[name] = Constant(name, value, token.position)

    def typedef(self) -> None:
        tagged = self.at(*_TAGS)
        declaration, token = self.declaration()
        if tagged and declaration.shape is Shape.SCALAR and declaration.type == token.text:
            return  # typedef struct X X; says in C what XDR has said already
        self.declare(token)
        self.tables.typedefs[declaration.name] = Typedef(declaration)

    def struct(self) -> None:
        token = self.expect_name("the name of a struct")
        name = self.declare(token)
        self.expect("{")
        members: list[Declaration] = []
        places: dict[str, Position] = {}
        while not members or not self.at("}"):
            member, member_token = self.declaration()
            self.unique(places, member_token)
            members.append(member)
            self.expect(";")
        self.expect("}")
        self.tables.structs[name] = StructDef(name, tuple(members), token.position)

    def union(self) -> None:
        token = self.expect_name("the name of a union")
        name = self.declare(token)
        self.expect("switch")
        self.expect("(")
        discriminant, _ = self.declaration()
        self.expect(")")
        self.expect("{")
        arms: list[tuple[str, Declaration]] = []
        labels: dict[str, Position] = {}
        places: dict[str, Position] = {}
        while not arms or not self.at("}"):
            self.expect("case", or_else=" (of a union without default)")
            label = self.expect_name("the name of a constant")
            self.unique(labels, label)
            self.expect(":")
            arm, arm_token = self.declaration()
            self.unique(places, arm_token)
            arms.append((label.text, arm))
            self.expect(";")
        self.expect("}")
        self.tables.unions[name] = UnionDef(name, discriminant, tuple(arms), token.position)

    def enum(self) -> None:
        token = self.expect_name("the name of an enum")
        name = self.declare(token)
        if is_procedure_enum(name):
            self.start_procedures(token)
        self.expect("{")
        members: dict[str, int] = {}
        previous = -1
        while not self.at("}") or not members:
            member = self.expect_name("the name of an enumerator")
            self.declare(member)
            previous = members[member.text] = self.enumerator_value(members, previous)
            if is_procedure_enum(name):
                annotations, remarks = parse_annotations(member.note, member.position.file)
                self.tables.remarks += remarks
                self.tables.procedures.append(
                    ProcedureDef(member.text, previous, annotations, position=member.position)
                )
            if not self.accept(","):
                break
        self.expect("}", or_else=" or ','")
        self.tables.enums[name] = EnumDef(name, members, token.position)

    def start_procedures(self, token: Token) -> None:
        """Note the file's procedure enum; a file speaks for one program."""
        if self.procedure_enum is not None:
            raise XdrSemanticError(
                f"expected one procedure enum in a file, found '{token.text}' "
                f"beside '{self.procedure_enum.text}'",
                token.position,
            )
        self.procedure_enum = token

    def enumerator_value(self, members: dict[str, int], previous: int) -> int:
        """Return a given value, one more than the previous if there is none."""
        if not self.accept("="):
            return previous + 1
        token = self.token
        value = self.expect_value("a number or the name of a constant")
        if isinstance(value, int):
            return value
        if value in members:
            return members[value]
        for enum in self.tables.enums.values():
            if value in enum.members:
                return enum.members[value]
        constant = self.tables.constants.get(value)
        while constant is not None and isinstance(constant.value, str):
            constant = self.tables.constants.get(constant.value)
        if constant is None or isinstance(constant.value, str):
            raise XdrSemanticError(
                f"expected a constant that is declared above, found '{value}'", token.position
            )
        return constant.value

    # -- declarations

    def declaration(self) -> tuple[Declaration, Token]:
        """Take ``T name``, ``T name[N]``, ``T name<N>`` or ``T *name``, and the name's token."""
        kind = self.type_name()
        pointer = self.token
        optional = self.accept("*")
        token = self.expect_name("a name")
        if optional:
            if kind in ("string", "opaque"):
                self.fail(f"a name after '{kind}'", pointer)
            return Declaration(token.text, kind, Shape.OPTIONAL, None, token.position), token
        shape, limit = self.extent(kind)
        return Declaration(token.text, kind, shape, limit, token.position), token

    def type_name(self) -> str:
        """Take a type, in the spelling of the model."""
        if self.at(*_TAGS):
            self.take()
            return self.expect_name("the name of a type").text
        token = self.take()
        if token.kind == NAME:
            if token.text == "unsigned":
                return f"unsigned {self.take().text}" if self.at(*_SIGNED) else "unsigned int"
            if token.text in _BUILT_IN or token.text not in _RESERVED:
                return token.text
        return self.fail("a type", token)

    def extent(self, kind: str) -> tuple[Shape, int | str | None]:
        """Take what follows the name: nothing, ``[N]`` or ``<N>``."""
        if kind == "string" and not self.at("<"):
            self.fail("'<' after the name of a string")
        if kind == "opaque" and not self.at("<", "["):
            self.fail("'<' or '[' after the name of opaque data")
        if self.accept("["):
            limit = self.expect_value("a length")
            self.expect("]")
            return Shape.FIXED, limit
        if self.accept("<"):
            limit = self.expect_value("a limit")
            self.expect(">")
            return Shape.VARIABLE, limit
        return Shape.SCALAR, None
