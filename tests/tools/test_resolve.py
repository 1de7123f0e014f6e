"""Tests of binding and judging: what keeps well-formed files from being a contract."""

from __future__ import annotations

import pytest

from xdrgen.errors import XdrSemanticError
from xdrgen.model import Contract, Declaration, Shape, SourceFile, StructDef
from xdrgen.parser import parse
from xdrgen.resolve import Names, bind_procedures, check

PROGRAM = "const P_PROGRAM = 1;\nconst P_PROTOCOL_VERSION = 1;\n"


def contract(*texts: str) -> Contract:
    names = ("f.x", "g.x", "h.x")
    files = {n: bind_procedures(parse(t, n)) for n, t in zip(names, texts, strict=False)}
    return Contract(files, {"EXTERNAL": 5})


ERRORS = [
    ("struct s {\n missing a;\n};", "f.x:2: expected a type that is declared, found 'missing'"),
    ("typedef missing *a;", "f.x:1: expected a type that is declared, found 'missing'"),
    (
        "struct s {\n int a<MISSING>;\n};",
        "f.x:2: expected a constant that is declared, found 'MISSING'",
    ),
    ("const A = MISSING;", "f.x:1: expected a constant that is declared, found 'MISSING'"),
    (
        "const A = B;\nconst B = A;",
        "f.x:1: expected a constant that is declared, found 'B'",
    ),
    ("const A = 0x100000000;", "f.x:1: expected a number of 32 bits, found 4294967296"),
    ("const A = -2147483649;", "f.x:1: expected a number of 32 bits, found -2147483649"),
    (
        "enum e { A = 2147483648 };",
        "f.x:1: expected a signed number of 32 bits for A, found 2147483648",
    ),
    ("struct s {\n\n int a<0>;\n};", "f.x:3: expected a length of at least 1 for a, found 0"),
    ("struct s { opaque a[-4]; };", "f.x:1: expected a length of at least 1 for a, found -4"),
    (
        "enum e { A = 1, B = 1 };",
        "f.x:1: expected a number for B that A has not, found 1",
    ),
    (
        PROGRAM + "enum p_procedure {\n P_PROC_A = 1,\n P_PROC_B = 1\n};",
        "f.x:5: expected a number for P_PROC_B that P_PROC_A has not, found 1",
    ),
    (
        PROGRAM + "enum p_procedure {\n P_PROC_A = 0\n};",
        "f.x:4: expected a number from 1 for P_PROC_A, found 0",
    ),
    (
        "const P_PROGRAM = 1;\nenum p_procedure { P_PROC_A = 1 };",
        "f.x:2: expected const P_PROTOCOL_VERSION beside enum p_procedure, found 'none'",
    ),
    (
        PROGRAM + "struct p_b_args { int a; };\nenum p_procedure { P_PROC_A = 1 };",
        "f.x:3: expected a struct that belongs to a procedure, found 'p_b_args'",
    ),
    (
        PROGRAM
        + "struct p_a_msg { int a; };\nstruct p_a_ret { int a; };\n"
        + "enum p_procedure { P_PROC_A = 1 };",
        "f.x:5: expected no struct beside p_a_msg of an event, found 'p_a_ret'",
    ),
    (
        PROGRAM + "enum p_procedure {\n /** @priority: middling */\n P_PROC_A = 1 };",
        "f.x:5: expected @priority high or low, found 'middling'",
    ),
    (
        PROGRAM + "enum p_procedure {\n /** @readstream: first */\n P_PROC_A = 1 };",
        "f.x:5: expected the number of an argument for @readstream, found 'first'",
    ),
    (
        "struct a { b next; };\nstruct b { a *next; };",
        "f.x:1: expected a type that does not hold itself, found 'a -> b -> a'",
    ),
    (
        "typedef t *u;\ntypedef u t;",
        "f.x:1: expected a type that does not hold itself, found 'u -> t -> u'",
    ),
    (
        "struct s { s self<4>; };",
        "f.x:1: expected a type that does not hold itself, found 's -> s'",
    ),
    (
        "union u switch (string t<4>) {\n case EXTERNAL: int a;\n};",
        "f.x:1: expected int or an enum to switch on, found 'string'",
    ),
    (
        "union u switch (int t) {\n case NOWHERE: int a;\n};",
        "f.x:2: expected a constant that is declared, found 'NOWHERE'",
    ),
    (
        "enum e { A = 1 };\nunion u switch (e t) {\n case EXTERNAL: int a;\n};",
        "f.x:3: expected an enumerator of e as label, found 'EXTERNAL'",
    ),
    (
        "const SAME = 5;\nunion u switch (int t) {\n case EXTERNAL: int a;\n case SAME: int b;\n};",
        "f.x:4: expected a label other than EXTERNAL for 5, found 'SAME'",
    ),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_message(text: str, message: str) -> None:
    with pytest.raises(XdrSemanticError) as caught:
        check(contract(text))
    assert str(caught.value) == message


def test_a_name_of_another_file_is_taken() -> None:
    with pytest.raises(XdrSemanticError) as caught:
        check(contract("struct s { int a; };", "\nenum s { A = 1 };"))
    message = "g.x:2: expected a name that is still free, found 's', declared at f.x:1"
    assert str(caught.value) == message


def test_names_of_other_files_and_externals_are_known() -> None:
    check(contract("struct s { int a<MAX>; };", "const MAX = EXTERNAL; typedef s *t;"))


def test_partial_takes_what_is_declared_elsewhere() -> None:
    lone = contract("struct s { elsewhere a<ELSEWHERE>; };")
    check(lone, partial=True)
    with pytest.raises(XdrSemanticError):
        check(lone)


def test_missing_limit_of_a_record() -> None:
    """A contract that comes from facts has no lines: the file has to do."""
    struct = StructDef("s", (Declaration("a", "int", Shape.VARIABLE),))
    with pytest.raises(XdrSemanticError) as caught:
        check(Contract({"f.x": SourceFile("f.x", structs={"s": struct})}))
    assert str(caught.value) == "f.x: expected a limit for a, found 'none'"


def test_binding() -> None:
    source = bind_procedures(
        parse(
            "struct p_a_args { int a; }; struct p_a_ret { int a; }; struct p_c_msg { int a; };"
            "struct p_b { int a; }; enum p_procedure { P_PROC_A = 1, P_PROC_B = 2, P_PROC_C = 3 };",
            "f.x",
        )
    )
    bound = [(p.args, p.ret, p.msg) for p in source.procedures]
    assert bound == [("p_a_args", "p_a_ret", None), (None, None, None), (None, None, "p_c_msg")]


def test_binding_of_camel_case_is_blind_to_case() -> None:
    source = bind_procedures(
        parse(
            "struct virXNewKeyRoomArgs { int a; }; struct virXNewKeyRoom { int a; };"
            "enum virXProcedure { VIR_X_PROC_NEW_KEYROOM = 1 };",
            "f.x",
        )
    )
    assert source.procedures[0].args == "virXNewKeyRoomArgs"
    assert source.procedures[0].ret is None


@pytest.mark.parametrize("step", [1, -1])
def test_depth(step: int) -> None:
    """Types may be nested, but not so deep that walking them takes more stack than there is."""

    def chain(length: int) -> Contract:
        links = [f"struct s{n} {{ s{n + 1} a; s{n + 1} *b; }};" for n in range(length)]
        return contract("".join([*links, f"struct s{length} {{ int a; }};"][::step]))

    check(chain(99))
    for length in (100, 5000):
        with pytest.raises(XdrSemanticError, match=r"^f\.x:1: expected types nested 100 deep"):
            check(chain(length))


def test_names() -> None:
    names = Names(contract("const A = B; const B = EXTERNAL; struct s { int a<A>; int b; };"))
    struct = names.types["s"]
    assert isinstance(struct, StructDef)
    assert [names.limit(member) for member in struct.members] == [5, None]
    assert names.value(7) == 7
    with pytest.raises(KeyError):
        names.value("C")
