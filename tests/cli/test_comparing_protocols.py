"""``virtproto diff-protocol``: what is asked of a daemon, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from virtproto.cli.comparing_protocols import compare, look_at
from virtproto.errors import LibvirtError, ProtocolError, UsageError
from virtproto.model.protocol_levels import probed
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import PROGRAMS, load_contract, remote

CONTRACT = load_contract()
# The last procedure of remote that this daemon has, by program.
HAS = {"remote": 443, "qemu": 7, "lxc": 0}
VERSION = 9_000_000


def german(call: CallReceived) -> Answer:
    """Answer as a daemon that speaks German to a call without arguments."""
    for program, last in HAS.items():
        if call.program == PROGRAMS[program] and 0 < call.procedure <= last:
            return ReplyError("Kann Nachricht nicht dekodieren")
    return ReplyError(f"unbekannte Prozedur: {call.procedure}")


def serve(server: ScriptedServer, answer: Callable[[CallReceived], Answer], version: int) -> None:
    for program in HAS:
        for number in (0, *probed(CONTRACT, program)):
            if (program, number) != ("remote", remote.CONNECT_OPEN.number):
                server.handle((PROGRAMS[program], number), answer)
    found = remote.ConnectGetLibVersionRet(lib_ver=version)
    server.handle(remote.CONNECT_GET_LIB_VERSION, found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        opening = running._defaults[(remote.CONNECT_OPEN.program, remote.CONNECT_OPEN.number)]

        def open_or_refuse(call: CallReceived) -> Answer:
            if not call.payload:
                return german(call)
            assert not callable(opening)
            return opening

        serve(running, german, VERSION)
        running.handle(remote.CONNECT_OPEN, open_or_refuse)
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


def test_a_daemon_of_any_language_is_asked(server: ScriptedServer, uri: str) -> None:
    side = look_at(uri)
    assert (side.kind, side.release) == ("daemon", VERSION)
    assert [n for n, value in side.programs["remote"].items() if value] == list(range(1, 444))
    assert set(side.programs["lxc"].values()) == {False}
    assert "admin" not in side.programs


def test_a_program_that_the_daemon_lacks_is_lacked_as_a_whole(
    server: ScriptedServer, uri: str
) -> None:
    for number in (0, *probed(CONTRACT, "qemu")):
        missing = ReplyError(f"Cannot find program {PROGRAMS['qemu']} version 1")
        server.handle((PROGRAMS["qemu"], number), missing)
    side = look_at(uri)
    assert set(side.programs["qemu"].values()) == {False}
    assert side.programs["remote"][443]


def test_nothing_that_could_run_is_sent(server: ScriptedServer, uri: str) -> None:
    look_at(uri)
    own = {
        remote.AUTH_LIST.number,
        remote.CONNECT_OPEN.number,
        remote.CONNECT_CLOSE.number,
        remote.CONNECT_SUPPORTS_FEATURE.number,
        remote.CONNECT_GET_LIB_VERSION.number,
    }
    probes = 0
    for call in server.calls:
        if call.program == PROGRAMS["remote"] and call.procedure in own and call.payload:
            continue
        program = next(name for name, number in PROGRAMS.items() if number == call.program)
        if program == "remote" and call.procedure in own and not call.payload:
            declared = CONTRACT.procedure(program, call.procedure)
            if declared.args is None:
                continue
        assert call.payload == b""
        assert call.procedure in (0, *probed(CONTRACT, program))
        probes += 1
    assert probes == sum(len(probed(CONTRACT, program)) + 1 for program in HAS)


def test_a_difference_is_a_row(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not compare("7.0.0", uri, as_json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "A: libvirt 7.0.0"
    assert said[1].startswith("B: test:///default?socket=")
    assert said[1].endswith("(libvirt 9.0.0)")
    assert said[3].split() == ["Program", "Number", "Name", "Since", "A", "B"]
    rows = [line.split() for line in said]
    assert ["lxc", "1", "DOMAIN_OPEN_NAMESPACE", "1.0.2", "yes", "no"] in rows
    assert "remote: 425 in both, 18 only in B" in said
    assert "qemu: 6 in both, 1 only in B" in said
    assert "lxc: 0 in both, 1 only in A" in said
    assert said[-1] == "admin: not compared, for it is spoken on another socket"


def test_the_same_is_said_as_json(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not compare(uri, "9.0.0", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["a"]["procedures"] == {"remote": 443, "qemu": 7, "lxc": 0}
    assert (said["a"]["kind"], said["a"]["release"]) == ("daemon", "9.0.0")
    assert said["b"]["kind"] == "release"
    assert (said["same"], said["unknown"]) == (False, [])
    assert said["compared"] == ["remote", "qemu", "lxc"]
    assert said["differences"] == [
        {
            "program": "lxc",
            "number": 1,
            "name": "DOMAIN_OPEN_NAMESPACE",
            "since": "1.0.2",
            "a": False,
            "b": True,
        }
    ]


def test_what_cannot_be_told_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("9.0.0", "9.0.0", as_json=False)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "",
        "remote: 443 in both",
        "qemu: 7 in both",
        "lxc: 1 in both",
        "admin: 19 in both",
    ]
    assert compare("10.0.0", "9.10.0", as_json=False)
    said = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in said]
    assert ["admin", "20", "CONNECT_DAEMON_SHUTDOWN", "<=11.3.0", "?", "?"] in rows
    assert said[-1] == "admin: 19 in both, 1 of which it cannot be told"


def test_a_daemon_newer_than_the_table_is_remarked(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = remote.ConnectGetLibVersionRet(lib_ver=13_000_000)
    server.handle(remote.CONNECT_GET_LIB_VERSION, found)
    compare(uri, "9.0.0", as_json=False)
    assert "(libvirt 13.0.0); it is newer than 12.8.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9", "9: expected a release such as 9.0.0, or a URI"),
        ("99.0.0", "libvirt 99.0.0 is not known here"),
    ],
)
def test_misuse_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare("9.0.0", text, as_json=False)


def test_an_answer_to_a_call_without_arguments_is_no_answer(
    server: ScriptedServer, uri: str
) -> None:
    server.handle(remote.DOMAIN_GET_STATE, remote.DomainGetStateRet(state=1, reason=1))
    with pytest.raises(ProtocolError, match=f"procedure {remote.DOMAIN_GET_STATE.number} without"):
        look_at(uri)


def test_another_error_is_passed_on(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.DOMAIN_GET_STATE, ReplyError("not let in", code=45))
    with pytest.raises(LibvirtError, match="not let in"):
        look_at(uri)
