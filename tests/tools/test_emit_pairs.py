"""Small .x files, each with one thing to say, and the module that each becomes.

The expected text stands beside the .x file (``<name>.py.txt``). What is expected is also run: its
classes must agree with the reference codec that walks the same file.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtproto.errors import DecodeError
from virtproto.xdr.contract import Contract as Tables
from virtproto.xdr.message import Message
from virtproto.xdr.reference import ReferenceCodec
from virtproto.xdr.typedparams import TypedParams
from xdrgen.emit_wire import Extras, emit
from xdrgen.load import load_contract
from xdrgen.model import Contract

PAIRS = Path(__file__).parent / "emit_pairs"
NAMES = sorted(path.name.removesuffix("_protocol.x") for path in PAIRS.glob("*_protocol.x"))
TYPED_PARAMS = (
    "VIR_TYPED_PARAM_INT",
    "VIR_TYPED_PARAM_UINT",
    "VIR_TYPED_PARAM_LLONG",
    "VIR_TYPED_PARAM_ULLONG",
    "VIR_TYPED_PARAM_DOUBLE",
    "VIR_TYPED_PARAM_BOOLEAN",
    "VIR_TYPED_PARAM_STRING",
)
EXTERNALS = {name: number for number, name in enumerate(TYPED_PARAMS, 1)}
SECRETS = {"calls_open_image_args": ("password",)}


def emitted(name: str) -> dict[str, str]:
    files = load_contract(PAIRS / f"{name}_protocol.x").files
    return emit(
        Contract(files, EXTERNALS),
        Extras(secret_fields=SECRETS if name == "calls" else {}, since={}),
    )


@pytest.mark.parametrize("name", NAMES)
def test_pair(name: str) -> None:
    assert emitted(name)[f"{name}.py"] == (PAIRS / f"{name}.py.txt").read_text()


def test_every_file_is_as_ruff_would_print_it(tmp_path: Path) -> None:
    for name in NAMES:
        for path, text in emitted(name).items():
            (tmp_path / f"{name}_{path}").write_text(text)
    config = Path(__file__).resolve().parents[2] / "pyproject.toml"
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--no-cache", "--config", str(config)]
    done = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_again() -> None:
    assert emitted("arrays") == emitted("arrays")


@cache
def module_of(name: str) -> Module:
    return Module(name)


class Module:
    """The module and the tables of a pair, run."""

    def __init__(self, name: str) -> None:
        texts = emitted(name)
        self.names: dict[str, Any] = {"__name__": name}
        tables: dict[str, Any] = {"__name__": "tables"}
        exec(compile(texts[f"{name}.py"], name, "exec"), self.names)
        exec(compile(texts["contract.py"], "contract", "exec"), tables)
        self.reference = ReferenceCodec(
            Tables(tables["TYPES"], tables["CONSTANTS"], tables["PROGRAMS"], tables["SECRETS"])
        )

    def check(self, message: Message, plain: Any) -> bytes:
        """Hold one message against the reference codec, whole and cut."""
        packed = self.reference.encode(message.XDR_NAME, plain)
        assert message.to_plain() == plain
        assert message.pack() == packed
        assert type(message).unpack(packed, exact=True) == message
        for size in range(len(packed)):
            with pytest.raises(DecodeError):
                type(message).unpack(packed[:size])
        return packed


def test_scalars_run() -> None:
    module = module_of("scalars")
    message = module.names["All"](-1, 2**32 - 1, -(2**63), 2**64 - 1, 1.5)
    packed = module.check(message, message.to_plain())
    assert packed.hex() == "ffffffffffffffff8000000000000000ffffffffffffffff3ff8000000000000"


def test_narrow_run() -> None:
    module = module_of("narrow")
    message = module.names["All"](-128, 200, -32768, 65535)
    module.check(message, {"a": -128, "b": 200, "c": -32768, "d": 65535})
    assert message.pack().hex() == "ffffff80000000c8ffff80000000ffff"


def test_strings_run() -> None:
    module = module_of("strings")
    plain = {"first": 1, "a": "abc", "between": 2, "b": "\udcff"}
    module.check(module.names["Two"](1, "abc", 2, "\udcff"), plain)


def test_opaques_run() -> None:
    module = module_of("opaques")
    plain = {"id": b"12345", "data": b"\0\1\2"}
    module.check(module.names["All"](b"12345", b"\0\1\2"), plain)


def test_chars_run() -> None:
    module = module_of("chars")
    plain = {"name": b"\x01\xff\x7f", "data": b"\x80", "more": b"\x80\xff", "last": b"\xff\0"}
    packed = module.check(module.names["All"](*plain.values()), plain)
    assert packed.hex() == (
        "00000001ffffffff0000007f00000001ffffff800000000200000080000000ff000000ff00000000"
    )


def test_optionals_run() -> None:
    module = module_of("optionals")
    pair = module.names["Pair"](1, 2)
    module.check(module.names["All"](None, None, None), dict.fromkeys(("name", "number", "pair")))
    plain = {"name": "", "number": 0, "pair": {"x": 1, "y": 2}}
    module.check(module.names["All"]("", 0, pair), plain)


def test_arrays_run() -> None:
    module = module_of("arrays")
    kinds = [module.names[name] for name in ("Record", "Point", "Odd")]
    rows = [[kind(*pair) for pair in pairs] for kind, pairs in zip(kinds, ROWS, strict=True)]
    message = module.names["All"]([1, -1], ["", "abcd"], *rows)
    plain = message.to_plain()
    assert plain["records"] == [{"name": "a", "number": 1}, {"name": "bcdef", "number": 2}]
    module.check(message, plain)


ROWS: list[list[tuple[Any, Any]]] = [[("a", 1), ("bcdef", 2)], [(1, 2)], [(3, "x"), (4, "")]]


def test_rows_run() -> None:
    module = module_of("rows")
    plain = {
        "ids": [bytes(16), b"x" * 16],
        "names": [None, "", "abc"],
        "pairs": [[1, 2], [3, 4]],
        "three": [1, 2, 3],
        "few": [-1, 2],
    }
    message = module.names["All"](*plain.values())
    module.check(message, plain)


def test_choice_runs() -> None:
    module = module_of("choice")
    value = module.names["Value"]
    module.check(value(1, -5), value(1, -5).to_plain())
    assert value(2, "abc").pack().hex() == "000000020000000361626300"
    with pytest.raises(DecodeError, match="has no arm 3"):
        value.unpack(bytes.fromhex("00000003"))
    kind = module.names["__getattr__"]("Kind")
    assert [member.name for member in kind] == ["NUMBER", "NAME"]
    assert module.names["KIND_NAME"] == 2


def test_params_run() -> None:
    module = module_of("params")
    params = TypedParams.from_items([("a", 1, -1), ("b", 5, 0.5), ("c", 7, "text")])
    message = module.names["All"](params, 3)
    module.check(message, message.to_plain())


def test_calls_run() -> None:
    names = module_of("calls").names
    opening = names["OPEN_IMAGE"]
    assert (opening.args, opening.ret) == (names["OpenImageArgs"], names["OpenImageRet"])
    assert (opening.high_priority, opening.read_stream, opening.write_stream) == (True, True, False)
    assert opening.sparse_flag == "CALLS_OPEN_SPARSE"
    assert names["IMAGE_GONE"].is_event
    assert names["PING"].args is names["PING"].ret is None
    assert names["PROGRAM"] == 0x20001234
    shown = repr(names["OpenImageArgs"](from_="/a", password="hunter2"))
    assert shown == "OpenImageArgs(from_='/a', password=<secret>)"


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80), name=st.sampled_from(NAMES))
def test_noise_is_refused_or_means_the_same(data: bytes, name: str) -> None:
    module = module_of(name)
    for cls in module.names.values():
        if isinstance(cls, type) and issubclass(cls, Message) and cls is not Message:
            assert _outcome(cls.unpack, data) == _outcome(
                lambda raw, cls=cls: module.reference.decode(cls.XDR_NAME, raw), data
            )


def _outcome(decode: Any, data: bytes) -> str:
    try:
        value = decode(data)
    except DecodeError:
        return "refused"
    return repr(value.to_plain() if isinstance(value, Message) else value)
