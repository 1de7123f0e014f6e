"""The package itself: everything is found, lazily, and printed as the project prints code."""

from __future__ import annotations

import subprocess
import sys
from enum import IntEnum
from importlib import import_module
from pathlib import Path

import pytest

from tests.wire.messages import CLASSES, CONTRACT, modules
from virtproto import wire
from virtproto.errors import UsageError
from virtproto.wire import admin, keepalive, lxc, qemu, remote, rpc, since

ROOT = Path(__file__).resolve().parents[2]
WIRE = ROOT / "virtproto" / "wire"
PROGRAMS = {"remote": remote, "qemu": qemu, "lxc": lxc, "admin": admin}


def procedures() -> list[tuple[str, int, str]]:
    """Return (program, number, name) of all procedures that have messages."""
    return [
        (program, row[0], row[1])
        for program, (_, _, rows) in CONTRACT.programs.items()
        if program in PROGRAMS
        for row in rows
    ]


def test_how_many_there_are() -> None:
    counts = {name: len(rows) for name, (_, _, rows) in CONTRACT.programs.items()}
    assert counts == {"remote": 456, "qemu": 7, "lxc": 1, "admin": 20, "keepalive": 2}


def test_every_procedure_is_as_in_the_contract() -> None:
    for program, number, name in procedures():
        row = CONTRACT.procedure(program, number)
        procedure = wire.find_procedure(program, number)
        assert procedure is wire.find_procedure(row.program, name.lower())
        assert procedure is getattr(PROGRAMS[program], name)
        assert (procedure.program, procedure.version) == (row.program, row.version)
        assert (procedure.number, procedure.name) == (number, name)
        for message, xdr_name in (
            (procedure.args, row.args),
            (procedure.ret, row.ret),
            (procedure.msg, row.msg),
        ):
            assert (None if message is None else message.XDR_NAME) == xdr_name
        notes = row.annotations
        assert procedure.high_priority is ("high" in notes.get("priority", ()))
        assert procedure.read_stream is ("readstream" in notes)
        assert procedure.write_stream is ("writestream" in notes)
        assert procedure.sparse_flag == next(iter(notes.get("sparseflag", ())), None)
        assert procedure.is_event is (row.msg is not None)


def test_what_a_user_needs_at_once_is_not_long() -> None:
    for program, number, name in procedures():
        procedure = wire.find_procedure(program, number)
        if procedure.high_priority or procedure.is_event:
            assert not procedure.long, name
        if "REGISTER" in name or (name.endswith("CLOSE") and program != "admin"):
            assert not procedure.long, name
    for procedure in (
        remote.DOMAIN_ABORT_JOB,
        remote.DOMAIN_BLOCK_JOB_ABORT,
        remote.DOMAIN_GET_JOB_STATS,
        remote.DOMAIN_DESTROY,
        remote.DOMAIN_RESUME,
    ):
        assert not procedure.long, procedure
    for procedure in (remote.DOMAIN_GET_INFO, remote.STORAGE_VOL_UPLOAD, qemu.DOMAIN_AGENT_COMMAND):
        assert procedure.long, procedure


def test_a_procedure_tells_what_it_is() -> None:
    assert repr(remote.DOMAIN_GET_INFO) == (
        "<Procedure DOMAIN_GET_INFO, number 16 of program 0x20008086>"
    )
    assert remote.STORAGE_VOL_DOWNLOAD.read_stream
    assert remote.STORAGE_VOL_DOWNLOAD.sparse_flag == "VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM"
    assert remote.DOMAIN_EVENT_LIFECYCLE.is_event
    assert remote.CONNECT_CLOSE.args is remote.CONNECT_CLOSE.ret is None


@pytest.mark.parametrize(
    ("program", "key", "message"),
    [
        ("remote", "DOMAIN_GET_INF", "near: DOMAIN_GET_INFO"),
        ("remote", "XYZZY", "no procedure 'XYZZY'$"),
        ("remote", 0, "it has 1 to 456"),
        ("lxc", 2, "it has 1 to 1"),
        ("qemo", 1, "there is no program 'qemo'; there are remote, qemu, lxc, admin"),
        (1, 1, "there is no program 1"),
    ],
)
def test_no_such_procedure(program: str | int, key: str | int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wire.find_procedure(program, key)


def test_every_public_name_is_there() -> None:
    for name in modules():
        module = import_module(name)
        for public in getattr(module, "__all__", ()):
            assert hasattr(module, public), (name, public)


def test_every_class_is_reached_from_its_program() -> None:
    programs = {**PROGRAMS, "rpc": rpc}
    for cls in CLASSES.values():
        program = programs[cls.__module__.split(".")[2]]
        assert getattr(program, cls.__name__) is cls
        assert cls.__name__ in dir(program)


def test_no_name_of_the_package_hides_another() -> None:
    names = [word for words in remote._NAMES.values() for word in words.split()]
    assert len(names) == len(set(names))
    assert not set(names) & set(remote._NAMES)
    for program in (remote, wire):
        with pytest.raises(AttributeError, match="has no attribute 'Xyzzy'"):
            program.Xyzzy  # noqa: B018


def test_numbers_have_names() -> None:
    assert remote.PROGRAM == wire.PROGRAMS["remote"] == 0x20008086
    assert (remote.VERSION, remote.STRING_MAX, remote.AUTH_TYPE_POLKIT) == (1, 4194304, 2)
    assert remote.SECURITY_MODEL_MAX == 257
    assert (rpc.MESSAGE_TYPE_STREAM_HOLE, rpc.MESSAGE_STATUS_CONTINUE) == (6, 2)
    assert rpc.MESSAGE_MAX == 33554432
    assert (keepalive.PROGRAM, keepalive.PING, keepalive.PONG) == (0x6B656570, 1, 2)
    assert remote.AuthType(2).name == "POLKIT"
    assert rpc.MessageStatus(2).name == "CONTINUE"
    assert remote.procedures.ProcedureNumber(16).name == "DOMAIN_GET_INFO"
    assert admin.ProcedureNumber(1).name == "CONNECT_OPEN"
    assert issubclass(rpc.MessageType, IntEnum)


def test_every_procedure_has_a_first_release() -> None:
    assert {(program, number) for program, number, _ in procedures()} == {
        (program, number) for program, releases in since.SINCE.items() for number in releases
    }


def test_a_constructor_and_slots_for_keywords() -> None:
    args = remote.DomainRestoreArgs(from_="/tmp/image")
    assert args.from_ == "/tmp/image"
    assert args.to_plain() == {"from": "/tmp/image"}
    with pytest.raises(AttributeError):
        args.other = 1  # type: ignore[attr-defined]


def test_importing_one_module_loads_little() -> None:
    code = (
        "import sys, virtproto.wire.remote.connect\n"
        "heavy = {'typing', 'enum', 'dataclasses', 'logging', 're', 'xdrlib3', 'threading'}\n"
        "ours = {m for m in sys.modules if m.startswith('virtproto.wire')}\n"
        "print(sorted(heavy & set(sys.modules)), sorted(ours))"
    )
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "[] ['virtproto.wire', 'virtproto.wire.remote', 'virtproto.wire.remote.connect', "
        "'virtproto.wire.remote.types']"
    )


@pytest.mark.parametrize("command", [["format", "--diff"], ["check"]], ids=["format", "check"])
def test_printed_as_ruff_would(command: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(WIRE)]
    done = subprocess.run(ruff, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_of_a_size_to_read() -> None:
    tables = {"contract.py"}
    for path in WIRE.rglob("*.py"):
        if path.name not in tables:
            assert path.read_text().count("\n") < 1600, path
