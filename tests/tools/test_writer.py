"""Tests of the .x printer: what it prints reads back as what it was given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdrgen.convention import ANNOTATION_KEYS
from xdrgen.load import PROTOCOL_DEFS, load_contract
from xdrgen.model import (
    Constant,
    Declaration,
    EnumDef,
    ProcedureDef,
    Shape,
    SourceFile,
    StructDef,
    Typedef,
    UnionDef,
)
from xdrgen.parser import parse
from xdrgen.resolve import BUILT_IN_TYPES, bind_procedures
from xdrgen.writer import write_externals, write_source

FIXTURES = Path(__file__).parent / "fixtures"
Type = StructDef | UnionDef | Typedef

CONSTRUCTS = sorted((FIXTURES / "constructs").glob("*.x"))


def read_back(source: SourceFile) -> SourceFile:
    return bind_procedures(parse(write_source(source), source.name))


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_constructs_read_back(path: Path) -> None:
    source = load_contract(path).files[path.name]
    assert read_back(source) == source


def test_protocol_defs_are_what_the_writer_prints() -> None:
    """Byte for byte, so that an import that changes nothing changes no file."""
    contract = load_contract(PROTOCOL_DEFS)
    for name, source in contract.files.items():
        assert (PROTOCOL_DEFS / name).read_text() == write_source(source)
    assert (PROTOCOL_DEFS / "externals.x").read_text() == write_externals(contract.externals)


def test_types_stand_before_their_first_use() -> None:
    """Other XDR compilers want that, and readers too."""
    for source in load_contract(PROTOCOL_DEFS).files.values():
        text = write_source(source)
        declared: set[str] = set()
        for struct in parse(text, source.name).structs.values():
            for member in struct.members:
                assert member.type not in source.structs or member.type in declared
            declared.add(struct.name)


def test_order_of_the_source_does_not_matter_for_messages() -> None:
    path = FIXTURES / "tree/src/remote/remote_protocol.x"
    source = load_contract(path).files[path.name]
    messages = {name for p in source.procedures for name in (p.args, p.ret, p.msg)}
    shared = {n: s for n, s in source.structs.items() if n not in messages}
    mixed = {n: s for n, s in reversed(list(source.structs.items())) if n in messages}
    assert write_source(replace(source, structs={**mixed, **shared})) == write_source(source)


UNORDERED = (
    "enum p_procedure { /** @acl: a:b\n * @priority: high */ P_PROC_DOMAIN_B = 2,"
    "P_PROC_CONNECT_A = 1 }; const MAX = 3; const P_PROGRAM = 16; struct p_connect_a_ret"
    "{ int *a; s b; }; struct p_domain_b_args { string a<MAX>; }; struct s { opaque a[2]; };"
    "union u switch (int t) { case MAX: int a; }; enum e { E_A, E_B, };"
)

ORDERED = """
/* ---- constants ---- */

const P_PROGRAM = 0x10;
const MAX = 3;

/* ---- types of their own ---- */

enum e {
    E_A = 0,
    E_B = 1
};

union u switch (int t) {
    case MAX: int a;
};

struct s {
    opaque a[2];
};

/* ---- connect ---- */

/* 1 CONNECT_A */
struct p_connect_a_ret {
    int *a;
    s b;
};

/* ---- domain ---- */

/* 2 DOMAIN_B */
struct p_domain_b_args {
    string a<MAX>;
};

/* ---- procedures ---- */

enum p_procedure {
    /** @priority: high @acl: a:b */
    P_PROC_DOMAIN_B = 2,
    P_PROC_CONNECT_A = 1
};
"""


def test_layout() -> None:
    printed = write_source(bind_procedures(parse(UNORDERED, "f.x")))
    assert printed.split("*/\n", 1)[1] == ORDERED


def test_long_annotations_take_a_line_each() -> None:
    values = tuple(f"domain:permission_{n}:SOME_FLAG" for n in range(4))
    procedure = ProcedureDef("P_PROC_A", 1, {"acl": values})
    source = SourceFile(
        "f.x",
        enums={"p_procedure": EnumDef("p_procedure", {"P_PROC_A": 1})},
        procedures=(procedure,),
    )
    lines = write_source(source).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("@acl: " in line for line in lines) == 4
    assert read_back(source) == source


# -- any model at all

WORDS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
NUMBERS = st.integers(1, 2**31 - 1)
VALUES = st.from_regex(r"[a-z_:!|A-Z]{1,40}", fullmatch=True)


def declarations(types: list[str], constants: list[str]) -> st.SearchStrategy[Declaration]:
    """Any declaration that XDR has, over the types and constants given."""
    limits = st.one_of(NUMBERS, st.sampled_from(constants))
    plain = st.sampled_from(sorted(BUILT_IN_TYPES - {"string", "opaque"}) + types)
    names = st.sampled_from(["a", "from", "type", "value", "n_1"])
    return st.one_of(
        st.builds(Declaration, names, plain, st.just(Shape.SCALAR)),
        st.builds(Declaration, names, plain, st.just(Shape.OPTIONAL)),
        st.builds(
            Declaration,
            names,
            st.one_of(plain, st.just("opaque")),
            st.sampled_from([Shape.FIXED, Shape.VARIABLE]),
            limits,
        ),
        st.builds(Declaration, names, st.just("string"), st.just(Shape.VARIABLE), limits),
    )


def _unique(members: list[Declaration]) -> tuple[Declaration, ...]:
    return tuple({member.name: member for member in members}.values())


Draw = st.DrawFn


def _types(draw: Draw, stems: list[str], constants: list[str]) -> list[Type]:
    """Draw a type for each stem, made of those before it."""
    types: list[Type] = []
    for stem in stems:
        name = "t_" + stem
        members = declarations([t.name for t in types], constants)
        lists = st.lists(members, min_size=1, max_size=5).map(_unique)
        match draw(st.sampled_from(["struct", "typedef", "union"])):
            case "struct":
                types.append(StructDef(name, draw(lists)))
            case "typedef":
                types.append(Typedef(replace(draw(members), name=name)))
            case _:
                switch = Declaration("kind", draw(st.sampled_from(["int", "e_kind"])))
                arms = tuple(zip(draw(st.permutations(constants)), draw(lists), strict=False))
                types.append(UnionDef(name, switch, arms))
    return types


def _procedure(draw: Draw, name: str, number: int) -> ProcedureDef:
    """Draw annotations and messages of a procedure."""
    values = st.lists(VALUES, min_size=1, max_size=4).map(tuple)
    annotations = draw(st.dictionaries(st.sampled_from(ANNOTATION_KEYS), values))
    short = name.removeprefix("P_PROC_").lower()
    roles = draw(st.sets(st.sampled_from(["args", "ret", "msg"])))
    args, ret, msg = (
        f"p_{short}_{role}" if role in roles else None for role in ("args", "ret", "msg")
    )
    return ProcedureDef(name, number, annotations, args, ret, msg)


@st.composite
def sources(draw: Draw) -> SourceFile:
    """A file whose names hold together, every type made of those before it."""
    stems = draw(st.lists(WORDS, min_size=6, max_size=14, unique=True))
    constants = ["C_" + s.upper() for s in stems]
    types = _types(draw, stems, constants)
    enum = EnumDef("e_kind", {f"E_{s.upper()}": draw(st.integers(-9, 9)) for s in stems})
    program = {f"P_PROC_{s.upper()}": n for n, s in enumerate(draw(st.permutations(stems)), 1)}
    procedures = tuple(_procedure(draw, name, number) for name, number in program.items())
    members = declarations([t.name for t in types], constants)
    for procedure in procedures:
        for name in filter(None, (procedure.args, procedure.ret, procedure.msg)):
            rows = draw(st.lists(members, min_size=1, max_size=5))
            types.append(StructDef(name, _unique(rows)))
    values = st.one_of(st.integers(-(2**31), 2**32 - 1), st.sampled_from(constants))
    return SourceFile(
        "f.x",
        {name: Constant(name, draw(values)) for name in constants},
        {enum.name: enum, "p_procedure": EnumDef("p_procedure", program)},
        {t.name: t for t in types if isinstance(t, Typedef)},
        {t.name: t for t in types if isinstance(t, StructDef)},
        {t.name: t for t in types if isinstance(t, UnionDef)},
        procedures,
    )


@settings(max_examples=25, deadline=None)
@given(sources())
def test_any_model_reads_back(source: SourceFile) -> None:
    again = read_back(source)
    assert again == source
    assert write_source(again) == write_source(source)
