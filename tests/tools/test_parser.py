"""Tests of the grammar: golden pairs for every construct, and every message of refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdrgen.errors import ContractError, XdrSemanticError, XdrSyntaxError
from xdrgen.facts import read_facts
from xdrgen.load import load_contract
from xdrgen.model import Shape
from xdrgen.parser import parse

CONSTRUCTS = sorted((Path(__file__).parent / "fixtures" / "constructs").glob("*.x"))
ORDERED_TABLES = ("constants", "enums", "typedefs", "structs", "unions")


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_golden_pair(path: Path) -> None:
    """A .x file says what the facts file beside it says, in the same order."""
    parsed = load_contract(path).files[path.name]
    golden = read_facts(path.with_suffix(".json").read_text(), path.name)[path.name]
    assert parsed == golden
    for table in ORDERED_TABLES:
        assert list(getattr(parsed, table)) == list(getattr(golden, table))
    for name, enum in golden.enums.items():
        assert list(parsed.enums[name].members) == list(enum.members)


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_line_ends_do_not_matter(path: Path) -> None:
    text = path.read_text()
    assert parse(text.replace("\n", "\r\n"), "f.x") == parse(text, "f.x")


def test_positions() -> None:
    source = parse("\nconst A = 1;\nstruct s {\n    int a;\n    int\n  b;\n};\n", "f.x", "dir/f.x")
    assert str(source.constants["A"].position) == "dir/f.x:2"
    assert [str(m.position) for m in source.structs["s"].members] == ["dir/f.x:4", "dir/f.x:6"]


def test_empty_file() -> None:
    source = parse("/* nothing */\n%#include <x.h>\n", "f.x")
    assert not source.constants
    assert not source.structs


def test_optional_member() -> None:
    member = parse("struct s { int *next; };", "f.x").structs["s"].members[0]
    assert (member.type, member.shape, member.limit) == ("int", Shape.OPTIONAL, None)


SYNTAX = [
    ("a = 1;", "expected 'const', 'typedef', 'struct', 'union' or 'enum', found 'a'"),
    ("program P { };", "expected 'const', 'typedef', 'struct', 'union' or 'enum', found 'program'"),
    ("const = 1;", "expected the name of a constant, found '='"),
    ("const A 1;", "expected '=', found '1'"),
    ("const A = ;", "expected a number or the name of a constant, found ';'"),
    ("const A = 1 + 2;", "expected a name, a number or punctuation, found '+'"),
    ("const A = 1", "expected ';', found end of file"),
    ("const int = 1;", "expected the name of a constant, found 'int'"),
    ("struct { int a; };", "expected the name of a struct, found '{'"),
    ("struct s { };", "expected a type, found '}'"),
    ("struct s { int; };", "expected a name, found ';'"),
    ("struct s { int a }", "expected ';', found '}'"),
    ("struct s { int a; ", "expected a type, found end of file"),
    ("struct s { int a; }", "expected ';', found end of file"),
    ("struct s { void a; };", "expected a type, found 'void'"),
    ("struct s { bool a; };", "expected a type, found 'bool'"),
    ("struct s { unsigned double a; };", "expected a name, found 'double'"),
    ("struct s { struct { int a; } b; };", "expected the name of a type, found '{'"),
    ("struct s { int a<>; };", "expected a limit, found '>'"),
    ("struct s { int a[]; };", "expected a length, found ']'"),
    ("struct s { int a<3; };", "expected '>', found ';'"),
    ("struct s { string a; };", "expected '<' after the name of a string, found ';'"),
    ("struct s { string a[3]; };", "expected '<' after the name of a string, found '['"),
    ("struct s { opaque a; };", "expected '<' or '[' after the name of opaque data, found ';'"),
    ("struct s { string *a; };", "expected a name after 'string', found '*'"),
    ("union u { int a; };", "expected 'switch', found '{'"),
    ("union u switch (int t) { };", "expected 'case' (of a union without default), found '}'"),
    (
        "union u switch (int t) { case A: int a; default: int b; };",
        "expected 'case' (of a union without default), found 'default'",
    ),
    ("union u switch (int t) { case 1: int a; };", "expected the name of a constant, found '1'"),
    ("union u switch (int t) { case A: void; };", "expected a type, found 'void'"),
    ("enum e { };", "expected the name of an enumerator, found '}'"),
    ("enum e { A = 1 B = 2 };", "expected '}' or ',', found 'B'"),
    ("enum e { A = , };", "expected a number or the name of a constant, found ','"),
    ("typedef int;", "expected a name, found ';'"),
    (
        "enum p_procedure {\n/** @acl */ P_PROC_A = 1 };",
        "expected '@key: value', found '@acl'",
    ),
]


def test_an_unknown_annotation_leaves_the_rest_and_a_remark() -> None:
    text = (
        "enum p_procedure {\n/** @acl: a:b */ P_PROC_A = 1,\n"
        "/** @later: x @priority: high */ P_PROC_B = 2 };"
    )
    source = parse(text, "f.x", "here/f.x")
    assert [dict(p.annotations) for p in source.procedures] == [
        {"acl": ("a:b",)},
        {"priority": ("high",)},
    ]
    assert [str(remark) for remark in source.remarks] == ["here/f.x:3: unknown annotation '@later'"]
    assert source == parse(text.replace("@later: x", ""), "f.x")


@pytest.mark.parametrize(("text", "message"), SYNTAX, ids=[text for text, _ in SYNTAX])
def test_syntax_error(text: str, message: str) -> None:
    """The message is the place and what was expected, exactly; the fault is on the last line."""
    with pytest.raises(XdrSyntaxError) as caught:
        parse("const FIRST = 1;\n\n" + text, "f.x", "here/f.x")
    line = 3 + text.count("\n")
    assert str(caught.value) == f"here/f.x:{line}: {message}"


SEMANTIC = [
    (
        "const A = 1;\nconst A = 2;",
        "f.x:2: expected a name that is still free, found 'A', declared at f.x:1",
    ),
    (
        "struct s { int a; };\ntypedef int s;",
        "f.x:2: expected a name that is still free, found 's', declared at f.x:1",
    ),
    (
        "struct s {\n int a;\n int a;\n};",
        "f.x:3: expected a name that is still free, found 'a', declared at f.x:2",
    ),
    (
        "enum e { A = 1 };\nenum f { A = 2 };",
        "f.x:2: expected a name that is still free, found 'A', declared at f.x:1",
    ),
    (
        "union u switch (int t) {\n case A: int a;\n case A: int b;\n};",
        "f.x:3: expected a name that is still free, found 'A', declared at f.x:2",
    ),
    (
        "union u switch (int t) {\n case A: int a;\n case B: int a;\n};",
        "f.x:3: expected a name that is still free, found 'a', declared at f.x:2",
    ),
    (
        "enum e {\n A = MISSING };",
        "f.x:2: expected a constant that is declared above, found 'MISSING'",
    ),
    (
        "enum a_procedure { A_PROC_X = 1 };\nenum b_procedure { B_PROC_X = 1 };",
        "f.x:2: expected one procedure enum in a file, found 'b_procedure' beside 'a_procedure'",
    ),
]


@pytest.mark.parametrize(("text", "message"), SEMANTIC, ids=[message for _, message in SEMANTIC])
def test_semantic_error(text: str, message: str) -> None:
    with pytest.raises(XdrSemanticError) as caught:
        parse(text, "f.x")
    assert str(caught.value) == message


def test_annotation_errors_name_the_line_in_the_comment() -> None:
    text = "enum p_procedure {\n /**\n  * @priority: high\n  * @acl\n  */\n P_PROC_A = 1 };"
    with pytest.raises(XdrSyntaxError, match=r"^f\.x:4: .*found '@acl'$"):
        parse(text, "f.x")


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_truncated_files_never_crash(path: Path) -> None:
    """Cut anywhere, a file is either still XDR or refused with a place."""
    text = path.read_text()
    places = []
    for end in range(0, len(text), 7):
        try:
            parse(text[:end], "f.x")
        except ContractError as error:
            places.append(error.position)
    assert places
    assert None not in places
