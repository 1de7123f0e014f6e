"""Who sits at the terminal is asked, whatever the command's input and output are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.pseudo_terminal import ROOT, PseudoTerminal
from virtproto.cli import asking
from virtproto.model.credentials import CredentialRequest, CredentialType
from virtproto.testing import ScriptedServer
from virtproto.wire import remote

USER = b"User name for libvirt at localhost: "
PASSWORD = b"Password for libvirt at localhost: "
COMMANDS = (
    ("list",),
    ("call", "CONNECT_GET_HOSTNAME"),
    ("events", "--timeout", "0.01"),
    ("console", "web"),
    ("vol-download", "pool", "volume", "/dev/null/none"),
    ("vol-upload", "pool", "volume", "/dev/null"),
)


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "auth.conf").touch()
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(tmp_path / "auth.conf"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A daemon that wants a password, and has no domains."""
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        running.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        running.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist="PLAIN"))
        done = remote.AuthSaslStartRet(complete=1, nil=1, data=b"")
        running.handle(remote.AUTH_SASL_START, done)
        nothing = remote.ConnectListAllDomainsRet(domains=[], ret=0)
        running.handle(remote.CONNECT_LIST_ALL_DOMAINS, nothing)
        yield running


@pytest.fixture
def uri(server: ScriptedServer, tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


def told(server: ScriptedServer) -> list[bytes]:
    number = remote.AUTH_SASL_START.number
    calls = [call for call in server.calls if call.procedure == number]
    return [remote.AuthSaslStartArgs.unpack(call.payload).data for call in calls]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_asks(server: ScriptedServer, uri: str, command: tuple[str, ...]) -> None:
    name, *rest = command
    with PseudoTerminal(name, "-c", uri, *rest, stderr_too=True) as terminal:
        shown = terminal.read_until(USER)
        terminal.type(b"fred\n")
        shown += terminal.read_until(PASSWORD)
        terminal.type("pä ss\n".encode())
        server.wait_until(lambda _seen: bool(told(server)))
    assert told(server) == ["\0fred\0pä ss".encode()]
    assert b"ss\n" not in shown


def test_a_password_is_not_echoed(server: ScriptedServer, uri: str) -> None:
    with PseudoTerminal("list", "-c", uri, stderr_too=True) as terminal:
        terminal.read_until(USER)
        terminal.type(b"fred\n")
        terminal.read_until(PASSWORD)
        terminal.type(b"s3cret\n")
        shown = terminal.read_until(b"State", anywhere=True)
        assert terminal.end()[0] == 0
    assert b"s3cret" not in shown


def test_where_there_is_no_terminal_nobody_is_asked(server: ScriptedServer, uri: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "virtproto", "list", "-c", uri],
        cwd=ROOT,
        capture_output=True,
        input="fred\ns3cret\n",
        text=True,
        timeout=30,
        start_new_session=True,
    )
    assert done.returncode == 1
    assert "credentials (not given)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert told(server) == []


@pytest.mark.parametrize("where", [USER, PASSWORD])
def test_who_gives_up_is_not_let_in(server: ScriptedServer, uri: str, where: bytes) -> None:
    with PseudoTerminal("list", "-c", uri) as terminal:
        terminal.read_until(USER)
        if where == PASSWORD:
            terminal.type(b"fred\n")
            terminal.read_until(PASSWORD)
        terminal.type(b"\x04")
        code, said = terminal.end()
    assert code == 1
    assert "nobody told it" in said
    assert told(server) == []


@pytest.mark.parametrize("where", [USER, PASSWORD])
def test_who_interrupts_has_his_terminal_back(
    server: ScriptedServer, uri: str, where: bytes
) -> None:
    with PseudoTerminal("list", "-c", uri) as terminal:
        terminal.read_until(USER)
        if where == PASSWORD:
            terminal.type(b"fred\n")
            terminal.read_until(PASSWORD)
        terminal.type(b"\x03")
        code, said = terminal.end()
        assert terminal.mode == terminal.mode_before
    assert (code, said) == (130, "")
    assert told(server) == []


def test_a_prompt_plays_no_tricks() -> None:
    request = CredentialRequest(
        CredentialType.ECHOPROMPT, "Trust \x1b[2Jhost\n? :", default="n", host="h"
    )
    assert asking._shown(request) == "Trust ?[2Jhost?? : [n]: "
