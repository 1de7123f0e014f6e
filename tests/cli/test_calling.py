"""``virtproto call``: arguments from text, the call, the result as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtproto.cli.calling import print_call
from virtproto.errors import EncodeError, NoDomainError, UsageError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import TypedParams

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WEB = NonnullDomain(name="web", uuid=UUID, id=7)
# Nobody listens there: what is refused before a connection is made does not care.
NOWHERE = "test:///default?socket=/none"
# What opening a connection calls, closing one more.
OPENING = {
    remote.AUTH_LIST.number,
    remote.CONNECT_OPEN.number,
    remote.CONNECT_SUPPORTS_FEATURE.number,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


def asked(server: ScriptedServer) -> list[CallReceived]:
    """Return the calls between opening and closing."""
    opening = OPENING | {remote.CONNECT_CLOSE.number}
    return [
        call
        for call in server.calls
        if call.program != remote.PROGRAM or call.procedure not in opening
    ]


def called(server: ScriptedServer) -> list[tuple[int, bytes]]:
    """Return which calls those are, and their arguments."""
    return [(call.procedure, call.payload) for call in asked(server)]


def test_a_result_is_json(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
    print_call(uri, "domain_lookup_by_name", ("name=web",))
    assert json.loads(capsys.readouterr().out) == {
        "dom": {"name": "web", "uuid": UUID_TEXT, "id": 7}
    }
    assert called(server) == [(23, remote.DomainLookupByNameArgs(name="web").pack())]


def test_a_procedure_may_be_a_number_and_have_no_result(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle(remote.DOMAIN_SUSPEND, b"")
    print_call(uri, "34", ("dom.name=web", f"dom.uuid={UUID_TEXT}", "dom.id=0x7"))
    assert capsys.readouterr().out == ""
    assert called(server) == [(34, WEB.pack())]


def test_arguments_may_be_one_object(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    params = TypedParams.from_items([("cpu_shares", 2, 1024)])
    ret = remote.DomainGetSchedulerParametersRet(params=params)
    server.handle(remote.DOMAIN_GET_SCHEDULER_PARAMETERS, ret)
    words = json.dumps({"dom": {"name": "web", "uuid": UUID.hex(), "id": 7}, "nparams": 4})
    print_call(uri, "DOMAIN_GET_SCHEDULER_PARAMETERS", (words,))
    assert json.loads(capsys.readouterr().out) == {
        "params": [{"field": "cpu_shares", "value": {"type": 2, "value": 1024}}]
    }
    assert called(server) == [(57, WEB.pack() + b"\0\0\0\4")]


def test_a_program_may_be_named(server: ScriptedServer, uri: str) -> None:
    server.handle((0x20008087, 3), ReplyError("no such domain", code=42))
    words = ("dom.name=web", f"dom.uuid={UUID_TEXT}", "dom.id=7", "cmd={}", "timeout=-2", "flags=0")
    with pytest.raises(NoDomainError):
        print_call(uri, "qemu:DOMAIN_AGENT_COMMAND", words)
    assert [call.program for call in asked(server)] == [0x20008087]


@pytest.mark.parametrize(
    ("proc", "program", "number"),
    [
        ("REMOTE_PROC_CONNECT_GET_TYPE", 0x20008086, 3),
        ("remote_proc_connect_get_type", 0x20008086, 3),
        ("remote:REMOTE_PROC_CONNECT_GET_TYPE", 0x20008086, 3),
        ("REMOTE:3", 0x20008086, 3),
        ("QEMU_PROC_DOMAIN_AGENT_COMMAND", 0x20008087, 3),
        ("QEMU:qemu_proc_domain_agent_command", 0x20008087, 3),
    ],
)
def test_a_procedure_may_be_spelled_as_its_enumerator(
    server: ScriptedServer, uri: str, proc: str, program: int, number: int
) -> None:
    server.handle((program, number), ReplyError("no such domain", code=42))
    words = ("dom.name=web", f"dom.uuid={UUID_TEXT}", "dom.id=7", "cmd={}", "timeout=-2", "flags=0")
    with pytest.raises(NoDomainError):
        print_call(uri, proc, words if program == 0x20008087 else ())
    assert [(call.program, call.procedure) for call in asked(server)] == [(program, number)]


@pytest.mark.parametrize(
    ("proc", "words", "reason"),
    [
        ("DOMAIN_LOOKUP_BY_NAM", (), "near: DOMAIN_LOOKUP_BY_NAME"),
        ("REMOTE_PROC_DOMAIN_LOOKUP_BY_NAM", (), "near: DOMAIN_LOOKUP_BY_NAME"),
        ("QEMU_PROC_CONNECT_GET_TYPE", (), "program qemu has no procedure"),
        ("qemu:REMOTE_PROC_CONNECT_GET_TYPE", (), "program qemu has no procedure"),
        ("REMOTE_PROC_", (), "program remote has no procedure"),
        ("SMOKE_PROC_X", (), "program remote has no procedure"),
        ("ADMIN_PROC_CONNECT_OPEN", (), "not spoken on a connection to a hypervisor"),
        ("9999", (), "no procedure 9999"),
        ("smoke:X", (), "no program 'smoke'"),
        ('{"name": "web"}', (), "PROC comes first"),
        ("admin:CONNECT_OPEN", (), "not spoken on a connection to a hypervisor"),
        ("keepalive:PING", (), "not spoken on a connection to a hypervisor"),
        ("DOMAIN_EVENT_LIFECYCLE", (), "is an event"),
        ("STORAGE_VOL_DOWNLOAD", (), "opens a stream"),
        ("STORAGE_VOL_UPLOAD", (), "opens a stream"),
        ("DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS", (), "opens a stream"),
        ("DOMAIN_OPEN_GRAPHICS_FD", (), "file descriptors"),
        ("CONNECT_GET_TYPE", ("a=1",), "takes no arguments"),
        ("DOMAIN_LOOKUP_BY_NAME", ("web",), "'web': expected name=value"),
        ("DOMAIN_LOOKUP_BY_NAME", ("=web",), "'=web': expected name=value"),
        ("DOMAIN_LOOKUP_BY_NAME", ("{",), "not JSON"),
        ("DOMAIN_LOOKUP_BY_NAME", ("{" + '"a":[' * 100_000,), "not JSON"),
        ("DOMAIN_LOOKUP_BY_NAME", ("nam=web",), "no field 'nam'; did you mean name?"),
        ("DOMAIN_LOOKUP_BY_NAME", ("name.x=web",), "name: it has no fields"),
        ("DOMAIN_LOOKUP_BY_ID", ("id=seven",), "id: expected a number (int), not 'seven'"),
        ("DOMAIN_LOOKUP_BY_UUID", ("uuid=zz",), "uuid: 'zz' is not a UUID"),
        ("DOMAIN_LOOKUP_BY_NAME", ("name=test", "name=b"), "name is given twice"),
        ("DOMAIN_SUSPEND", ("dom.id=1", "dom.id=1"), "dom.id is given twice"),
        ("DOMAIN_SUSPEND", ("dom.id=1", 'dom={"id": 1}'), "dom is given twice"),
        ("DOMAIN_SUSPEND", ('dom={"id": 1}', "dom.id=1"), "dom.id is given twice"),
        ("DOMAIN_SUSPEND", ('dom={"id": 1, "id": 2}',), "dom: id is given twice"),
        (
            "DOMAIN_LOOKUP_BY_NAME",
            ('{"name": "a", "name": "a"}',),
            "arguments: name is given twice",
        ),
        ("DOMAIN_SUSPEND", ("dom={x",), "dom: expected remote_nonnull_domain as JSON"),
        ("DOMAIN_SUSPEND", ("dom=1", "dom.id=1"), "dom.id: dom is already given whole"),
        ("SECRET_SET_VALUE", ('{"value": "xyz"}',), "value: expected bytes in hexadecimal"),
    ],
)
def test_what_cannot_be_called_is_refused_before_connecting(
    proc: str, words: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        print_call(NOWHERE, proc, words)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("proc", "words", "path"),
    [
        ("DOMAIN_LOOKUP_BY_NAME", (), "name"),
        ("DOMAIN_LOOKUP_BY_NAME", ('{"name": 3}',), "name"),
        ("DOMAIN_LOOKUP_BY_ID", ("id=99999999999",), "id"),
        ("DOMAIN_SUSPEND", ("dom.name=web", "dom.id=1"), "dom.uuid"),
        ("DOMAIN_SUSPEND", ('{"dom": []}',), "dom"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(
    proc: str, words: tuple[str, ...], path: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        print_call(NOWHERE, proc, words)
    assert caught.value.path == path
