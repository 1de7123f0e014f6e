"""Tests of what becomes of a whole contract: modules, homes, and what cannot become code."""

from __future__ import annotations

import pytest

from xdrgen.emit_nodes import Types
from xdrgen.emit_wire import Extras, emit
from xdrgen.errors import XdrSemanticError
from xdrgen.model import Contract
from xdrgen.parser import parse
from xdrgen.resolve import bind_procedures


def contract(*texts: tuple[str, str]) -> Contract:
    files = {name: bind_procedures(parse(text, name)) for name, text in texts}
    return Contract(files, {"EXTERNAL": 5})


def large(program: str = "big") -> tuple[str, str]:
    """Return a program with enough procedures to become a package."""
    upper = program.upper()
    names = [f"{upper}_PROC_DOMAIN_CALL{i} = {i}" for i in range(1, 121)]
    names.append(f"{upper}_PROC_NODE_GET_INFO = 121")
    text = (
        f"const {upper}_PROGRAM = 0xabc;\nconst {upper}_PROTOCOL_VERSION = 1;\n"
        f"struct {program}_thing {{ int a; }};\n"
        f"struct {program}_node_get_info_ret {{ {program}_thing thing; }};\n"
        f"enum {program}_kind {{ {upper}_KIND_A = 1, {upper}_KIND_B = 2 }};\n"
        f"enum {program}_procedure {{ {', '.join(names)} }};\n"
    )
    return f"{program}_protocol.x", text


def test_a_large_program_is_a_package() -> None:
    files = emit(contract(large()), Extras())
    assert sorted(files) == [
        "__init__.py",
        "big/__init__.py",
        "big/domain.py",
        "big/node.py",
        "big/procedures.py",
        "big/types.py",
        "contract.py",
        "since.py",
    ]
    assert "from virtproto.wire.big.types import Thing\n" in files["big/node.py"]
    assert "from virtproto.wire.big import PROGRAM, VERSION\n" in files["big/node.py"]
    assert '    "NODE_GET_INFO": (121, "big.node"),\n' in files["big/procedures.py"]
    assert "PROGRAM = 0xABC\n" in files["big/__init__.py"]
    assert "KIND_A = 1\nKIND_B = 2\n" in files["big/types.py"]


def test_a_program_without_messages_is_numbers() -> None:
    text = (
        "const KEEPALIVE_PROGRAM = 0x6b656570;\nconst KEEPALIVE_PROTOCOL_VERSION = 1;\n"
        "enum keepalive_procedure { KEEPALIVE_PROC_PING = 1, KEEPALIVE_PROC_PONG = 2 };\n"
    )
    files = emit(contract(("virkeepaliveprotocol.x", text)), Extras())
    assert files["keepalive.py"].endswith(
        "PROGRAM = 0x6B656570\nVERSION = 1\n\nPING = 1\nPONG = 2\n"
    )
    assert "_TABLES: dict[str, str] = {}\n" in files["__init__.py"]


def test_types_of_another_file_are_imported() -> None:
    first = ("first_protocol.x", "struct first_a { int x; };")
    second = ("second_protocol.x", "struct second_b { first_a a<4>; };")
    text = emit(contract(first, second), Extras())["second.py"]
    assert "from virtproto.wire.first import A\n" in text
    assert "self.a, pos = A._unpack_many(data, pos, n)\n" in text


def test_since_is_in_order_of_number() -> None:
    text = emit(contract(), Extras(since={"p": {2: "1.0.0", 1: "0.9.0"}}))["since.py"]
    assert 'SINCE: dict[str, dict[int, str]] = {"p": {1: "0.9.0", 2: "1.0.0"}}\n' in text


def test_order_of_extras_does_not_matter() -> None:
    texts = ("s_protocol.x", "struct s_a { int x; int y; };\nstruct s_b { int x; };")
    fields = {"s_a": ("x",), "s_b": ("x",)}
    turned = dict(reversed(fields.items()))
    both = [emit(contract(texts), Extras(secret_fields=f)) for f in (fields, turned)]
    assert both[0] == both[1]


def test_secret_parameters_are_a_table_and_registered() -> None:
    files = emit(contract(), Extras(secret_parameters=["key", "dxml", "key"]))
    assert 'SECRET_PARAMETERS: tuple[str, ...] = ("dxml", "key")\n' in files["contract.py"]
    assert '_SECRET_PARAMETERS: tuple[str, ...] = ("dxml", "key")\n' in files["__init__.py"]
    assert "\nset_secret_parameters(_SECRET_PARAMETERS)\n" in files["__init__.py"]
    nothing = emit(contract(), Extras())
    assert "\nSECRET_PARAMETERS: tuple[str, ...] = ()\n" in nothing["contract.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("struct p_a_b { int x; };\nstruct p_aB { int x; };", "p_a_b and p_aB would both be AB"),
        ("struct p_a { int from_; };", "looks like the keyword from"),
        ("struct p_a { missing x; };", "there is no type missing"),
        ("struct p_a { int x<MISSING>; };", "there is no constant MISSING"),
        ("struct p_a { p_a x; };", "contains itself"),
        ("const P_A = P_B;\nconst P_B = P_A;\nstruct p_c { int x<P_A>; };", "defined by itself"),
    ],
)
def test_what_cannot_become_code(text: str, message: str) -> None:
    with pytest.raises(XdrSemanticError, match=message):
        emit(contract(("p_protocol.x", text)), Extras())


def test_the_smallest_sizes() -> None:
    text = (
        "typedef opaque id[5];\ntypedef string name<9>;\ntypedef name *maybe;\n"
        "struct s { id i; name n; maybe m; hyper h; char c[3]; int a<4>; int three[3]; };\n"
    )
    types = Types(contract(("p_protocol.x", text)))
    nodes = [types.node(member) for member in types.structs["s"].members]
    assert [types.minimum(node) for node in nodes] == [8, 4, 4, 8, 12, 4, 12]
