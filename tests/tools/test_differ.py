"""Tests of comparing two contracts: what is seen, and what breaks old peers."""

from __future__ import annotations

import pytest

from xdrgen.differ import compare
from xdrgen.model import Contract
from xdrgen.parser import parse
from xdrgen.resolve import bind_procedures, check

BASE = """
const MAX = 4;
const SAME = MAX;
const FIXED = 8;
const UNUSED = 1;
const P_PROGRAM = 7;
const P_PROTOCOL_VERSION = 1;
enum kind { KIND_A = 1, KIND_B = 2 };
typedef string text<MAX>;
typedef text *maybe;
struct inner { int a; text b; };
struct outer { inner one; inner many<SAME>; opaque id[FIXED]; };
union value switch (int type) { case KIND_A: int i; case KIND_B: text s; };
struct p_first_args { outer o; };
struct p_first_ret { value v; };
struct p_happened_msg { int what; };
enum p_procedure {
  /** @priority: high @acl: a:b */
  P_PROC_FIRST = 1,
  /** @writestream: 1 */
  P_PROC_PUSH = 2,
  P_PROC_HAPPENED = 3
};
"""


def contract(text: str, externals: dict[str, int] | None = None) -> Contract:
    built = Contract({"f.x": bind_procedures(parse(text, "f.x"))}, externals or {})
    check(built)
    return built


def differences(old: str, new: str) -> list[str]:
    assert old in BASE
    return [str(d) for d in compare(contract(BASE), contract(BASE.replace(old, new)))]


def test_nothing() -> None:
    assert compare(contract(BASE), contract(BASE)) == []


CASES = [
    # constants
    ("const MAX = 4;", "const MAX = 9;",
     ["compatible   changed constant MAX: 4 became 9 (limit raised)",
      "compatible   changed constant SAME: 4 became 9 (limit raised)"]),
    ("const MAX = 4;", "const MAX = 3;",
     ["incompatible changed constant MAX: 4 became 3 (limit lowered)",
      "incompatible changed constant SAME: 4 became 3 (limit lowered)"]),
    ("const FIXED = 8;", "const FIXED = 9;",
     ["incompatible changed constant FIXED: 8 became 9"]),
    ("const UNUSED = 1;", "const UNUSED = 2;",
     ["incompatible changed constant UNUSED: 1 became 2"]),
    ("const UNUSED = 1;", "", ["incompatible removed constant UNUSED: 1"]),
    ("const UNUSED = 1;", "const UNUSED = 1; const NEW = UNUSED;",
     ["compatible   added   constant NEW: UNUSED"]),
    ("const SAME = MAX;", "const SAME = 4;", []),
    # enums
    ("KIND_B = 2 }", "KIND_B = 2, KIND_C = 3 }",
     ["compatible   added   enum kind KIND_C: 3"]),
    ("KIND_B = 2 }", "KIND_B = 3 }", ["incompatible changed enum kind KIND_B: 2 became 3"]),
    # typedefs
    ("typedef string text<MAX>;", "typedef string text<5>;",
     ["compatible   changed typedef text: 'string text<MAX>' became 'string text<5>'"]),
    ("typedef string text<MAX>;", "typedef string text<3>;",
     ["incompatible changed typedef text: 'string text<MAX>' became 'string text<3>'"]),
    ("typedef string text<MAX>;", "typedef opaque text<MAX>;",
     ["incompatible changed typedef text: 'string text<MAX>' became 'opaque text<MAX>'"]),
    ("typedef text *maybe;", "", ["incompatible removed typedef maybe: text *maybe"]),
    ("typedef text *maybe;", "struct maybe { int a; };",
     ["incompatible changed typedef maybe: became struct: {int a}"]),
    # structs
    ("int a; text b;", "int a; text renamed;",
     ["compatible   changed struct inner: 'text b' became 'text renamed' (renamed)"]),
    ("int a; text b;", "int a; string b<MAX>;", []),
    ("int a; text b;", "unsigned int a; text b;",
     ["incompatible changed struct inner: 'int a' became 'unsigned int a'"]),
    ("int a; text b;", "int a; maybe b;",
     ["incompatible changed struct inner: 'text b' became 'maybe b'"]),
    ("int a; text b;", "int a; text b; int c;",
     ["incompatible changed struct inner: {int a; text b} became {int a; text b; int c}"]),
    ("int a; text b;", "text b; int a;",
     ["incompatible changed struct inner: 'int a' became 'text b'",
      "incompatible changed struct inner: 'text b' became 'int a'"]),
    ("inner many<SAME>", "inner many<9>",
     ["compatible   changed struct outer: 'inner many<SAME>' became 'inner many<9>'"]),
    ("inner many<SAME>", "inner many[4]",
     ["incompatible changed struct outer: 'inner many<SAME>' became 'inner many[4]'"]),
    ("opaque id[FIXED]", "opaque id[9]",
     ["incompatible changed struct outer: 'opaque id[FIXED]' became 'opaque id[9]'"]),
    ("struct outer {", "struct extra { int a; }; struct outer {",
     ["compatible   added   struct extra: {int a}"]),
    # unions
    ("case KIND_B: text s; }", "case KIND_B: text s; case MAX: int j; }",
     ["compatible   added   union value case MAX: int j"]),
    ("case KIND_B: text s; }", "}",
     ["incompatible removed union value case KIND_B: text s"]),
    ("case KIND_A: int i;", "case KIND_A: hyper i;",
     ["incompatible changed union value case KIND_A: 'int i' became 'hyper i'"]),
    ("switch (int type)", "switch (kind type)",
     ["incompatible changed union value switch: 'int type' became 'kind type'"]),
    # procedures
    ("P_PROC_HAPPENED = 3", "P_PROC_HAPPENED = 3, /** @priority: high */ P_PROC_NEXT = 4",
     ["compatible   added   procedure P_PROC_NEXT: number 4, @priority high"]),
    ("P_PROC_HAPPENED = 3", "P_PROC_HAPPENED = 5",
     ["incompatible changed procedure P_PROC_HAPPENED: number 3 became 5"]),
    ("  /** @writestream: 1 */\n  P_PROC_PUSH = 2,\n", "",
     ["incompatible removed procedure P_PROC_PUSH: number 2, @writestream 1"]),
    ("@priority: high @acl: a:b", "@acl: a:b @acl: c:d",
     ["compatible   changed procedure P_PROC_FIRST: @priority high became none",
      "compatible   changed procedure P_PROC_FIRST: @acl a:b became a:b c:d"]),
    ("/** @writestream: 1 */", "/** @readstream: 1 */",
     ["incompatible changed procedure P_PROC_PUSH: @readstream none became 1",
      "incompatible changed procedure P_PROC_PUSH: @writestream 1 became none"]),
    ("/** @writestream: 1 */", "/** @writestream: 1 @sparseflag: S */",
     ["compatible   changed procedure P_PROC_PUSH: @sparseflag none became S"]),
    ("struct p_first_ret { value v; };", "",
     ["incompatible removed struct p_first_ret: {value v}",
      "incompatible changed procedure P_PROC_FIRST: ret p_first_ret became none"]),
    ("struct p_happened_msg", "struct p_push_args { int a; }; struct p_happened_msg",
     ["compatible   added   struct p_push_args: {int a}",
      "incompatible changed procedure P_PROC_PUSH: args none became p_push_args"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES, ids=[f"{o} | {n}" for o, n, _ in CASES])
def test_difference(old: str, new: str, expected: list[str]) -> None:
    assert differences(old, new) == expected


def test_removed_sparseflag() -> None:
    old = BASE.replace("@writestream: 1", "@writestream: 1 @sparseflag: S")
    found = compare(contract(old), contract(BASE))
    assert [(d.detail, d.compatible) for d in found] == [("@sparseflag S became none", False)]


def test_externals() -> None:
    text = "struct s { opaque id[LENGTH]; };"
    found = compare(contract(text, {"LENGTH": 16, "B": 1}), contract(text, {"LENGTH": 20, "C": 1}))
    assert [(d.what, d.compatible) for d in found] == [("external constant LENGTH", False)]


def test_a_declaration_may_move_to_another_file() -> None:
    both = Contract(
        {"a.x": parse("struct s { t a; };", "a.x"), "b.x": parse("struct t { int a; };", "b.x")}
    )
    one = Contract({"a.x": parse("struct t { int a; }; struct s { t a; };", "a.x")})
    assert compare(both, one) == []
