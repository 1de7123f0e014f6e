"""Tests of names that cannot become code: each is refused with its file and line."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

from virtproto.xdr import runtime
from xdrgen.emit_names import MODULE_NAMES, PACKAGE_NAMES
from xdrgen.emit_wire import Extras, emit
from xdrgen.errors import XdrSemanticError
from xdrgen.load import PROTOCOL_DEFS
from xdrgen.model import Contract
from xdrgen.parser import parse
from xdrgen.resolve import bind_procedures

WIRE = PROTOCOL_DEFS.parent / "virtproto" / "wire"
HEAD = "const P_PROGRAM = 1;\nconst P_PROTOCOL_VERSION = 1;\n"


def refusal(*texts: tuple[str, str]) -> str:
    files = {name: bind_procedures(parse(text, name)) for name, text in texts}
    with pytest.raises(XdrSemanticError) as caught:
        emit(Contract(files, {}), Extras())
    return str(caught.value)


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        ("self", "has the name of something that every message has"),
        ("pack", "has the name of something that every message has"),
        ("to_plain", "has the name of something that every message has"),
        ("XDR_NAME", "has the name of something that every message has"),
        ("SECRET_FIELDS", "has the name of something that every message has"),
        ("_pack", 'begins with "_", as what messages keep to themselves'),
        ("__init__", 'begins with "_", as what messages keep to themselves'),
        ("__slots__", 'begins with "_", as what messages keep to themselves'),
        ("from_", "looks like the keyword from renamed"),
    ],
)
def test_members(member: str, fault: str) -> None:
    said = refusal(("p_protocol.x", f"struct p_a {{\n  int fine;\n  int {member};\n}};"))
    assert said == f"p_protocol.x:3: member {member} of struct p_a {fault}"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("struct p_a_b { int x; }; struct p_aB { int x; };", "p_a_b and p_aB would both be AB"),
        ("struct p_message { int x; };", "p_message would be Message, which generated"),
        ("struct p_self { int x; };", "p_self would be Self, which generated"),
        ("struct p_procedure_number { int x; };", "p_procedure_number would be ProcedureNumber"),
        ("struct p_attribute_error { int x; };", "p_attribute_error would be AttributeError"),
        ("struct p_none { int x; };", "p_none would be 'None', which is no name"),
        ("struct p_3d { int x; };", "p_3d would be '3d', which is no name"),
        ("struct p_ { int x; };", "p_ would be '', which is no name"),
        ("union p_any switch (int t) { case P_PROGRAM: int x; };", "p_any would be Any"),
        ("enum p_int_enum { P_X = 1 };", "p_int_enum would be IntEnum"),
        ("const layout = 5;", "layout would be layout, which generated modules use"),
        ("const P_bytes = 5;", "P_bytes would be bytes, which generated modules use"),
        ("const P_VERSION = 5;", "P_PROTOCOL_VERSION and P_VERSION would both be VERSION"),
        ("const P__I = 5;", "P__I would be '_I', which is no name"),
        ("enum p_kind { P_K_A = 1 }; const KIND_P_K_A = 1;", "KIND_P_K_A and a member of p_kind"),
        ("enum p_kind { P_1 = 1, P_P_1 = 2 };", "enum p_kind has two members that lose"),
        ("enum p_kind { P_A = 1, P_mro = 2 };", "a member of p_kind would be 'mro'"),
        ("enum p_kind { P_A = 1, P__b = 2 };", "a member of p_kind would be '_b'"),
        ("enum p_procedure { P_PROC_PROGRAM = 1 };", "P_PROGRAM and P_PROC_PROGRAM would both be"),
        ("enum p_procedure { P_PROC_PROCEDURES = 1 };", "P_PROC_PROCEDURES would be PROCEDURES"),
    ],
)
def test_names_of_a_module(line: str, fault: str) -> None:
    said = refusal(("p_protocol.x", f"{HEAD}{line}\nstruct p_other {{ int x; }};\n"))
    assert said.startswith(f"p_protocol.x:3: {fault}")


def test_classes_of_two_programs_in_one_module() -> None:
    first = ("first_protocol.x", "struct first_a { int x; };")
    second = ("second_protocol.x", "struct second_a {\n  first_a one;\n};")
    assert refusal(first, second) == "second_protocol.x:1: first_a and second_a would both be A"
    other = ("other_protocol.x", "struct other_a { int x; };")
    last = (
        "last_protocol.x",
        "typedef other_a far;\nstruct last_b {\n  first_a o;\n  far t<4>;\n};",
    )
    assert refusal(first, other, last) == "last_protocol.x:4: first_a and other_a would both be A"


def test_the_modules_of_a_large_program_are_names_of_it() -> None:
    names = ", ".join(f"P_PROC_DOMAIN_CALL{i} = {i}" for i in range(1, 121))
    text = f"{HEAD}const P_domain = 5;\nstruct p_a {{ int x; }};\nenum p_procedure {{ {names} }};"
    said = refusal(("p_protocol.x", text))
    assert said.startswith("p_protocol.x:3: P_domain would be domain, which generated modules use")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["contract.x"], "contract.x: contract cannot be the name of its module"),
        (["since_protocol.x"], "since_protocol.x: since cannot be the name of its module"),
        (["class_protocol.x"], "class_protocol.x: class cannot be the name of its module"),
        (["my-own_protocol.x"], "my-own_protocol.x: my-own cannot be the name of its module"),
        (["one.x", "one_protocol.x"], "one_protocol.x: one_protocol.x and one.x would both be one"),
    ],
)
def test_names_of_programs(names: list[str], message: str) -> None:
    assert refusal(*((name, f"const A{i} = 1;") for i, name in enumerate(names))) == message


def foreign_names(path: Path) -> set[str]:
    """Return the names of a generated module that come from Python or from outside the package."""
    found: set[str] = set()
    parameters: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if not (node.module or "").startswith("virtproto.wire"):
                found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.arg):
            parameters.add(node.arg)
        elif isinstance(node, ast.Name) and hasattr(builtins, node.id):
            found.add(node.id)
    return {name for name in found - parameters if not name.startswith("_")}


def test_the_lists_have_all_that_generated_code_uses() -> None:
    inside: set[str] = {"TYPE_CHECKING", "PROCEDURES", "ProcedureNumber", *runtime.__all__}
    for path in WIRE.rglob("*.py"):
        if path != WIRE / "__init__.py":
            inside |= foreign_names(path)
    assert inside - MODULE_NAMES == set()
    defined = {"TYPE_CHECKING", "PROGRAMS", "find_procedure", "load_contract", "contract", "since"}
    assert (foreign_names(WIRE / "__init__.py") | defined) - PACKAGE_NAMES == set()
