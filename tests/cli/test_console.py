"""``virtproto console`` in a terminal and in a pipe: what travels, every way out, every refusal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cli.pseudo_terminal import ROOT, PseudoTerminal
from virtproto.cli import console, main
from virtproto.cli.console import read_escape, show_escape
from virtproto.errors import UsageError
from virtproto.protocol.events import StreamAbortAsked, StreamDataReceived
from virtproto.protocol.framing import pack_packet
from virtproto.protocol.server import pack_error
from virtproto.testing import (
    CloseConnection,
    OpenStream,
    ReplyError,
    ScriptedServer,
    SendRaw,
    SendStreamData,
)
from virtproto.wire import remote

WEB = remote.NonnullDomain(name="web", uuid=bytes(range(16)), id=7)
OTHER = remote.NonnullDomain(name="database", uuid=bytes(16), id=-1)
LOGIN = b"\x1b[1mlogin:\n "
BANNER = "connected to the console of web; ^] leaves it\n"
LEAVE = b"\x1d"
LEFT = "\nleft the console of web\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        listed = remote.ConnectListAllDomainsRet(domains=[WEB, OTHER], ret=2)
        running.handle(remote.CONNECT_LIST_ALL_DOMAINS, listed)
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
        running.handle(remote.DOMAIN_OPEN_CONSOLE, [OpenStream(), b"", SendStreamData(LOGIN)])
        running.handle(remote.DOMAIN_IS_ACTIVE, remote.DomainIsActiveRet(active=1))
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


@pytest.fixture
def window(server: ScriptedServer, uri: str) -> Iterator[PseudoTerminal]:
    """A terminal in which the console is open."""
    with PseudoTerminal("console", "-c", uri, "web") as terminal:
        assert terminal.read_until(LOGIN) == LOGIN
        yield terminal


def opening(server: ScriptedServer) -> Any:
    """Return the call that opened the console."""
    number = remote.DOMAIN_OPEN_CONSOLE.number
    return next((call for call in server.calls if call.procedure == number), None)


def say(server: ScriptedServer, data: bytes, *, kind: int = 3, status: int = 2) -> None:
    """Have the guest say something; b"" ends the console."""
    call = opening(server)
    packet = pack_packet(
        call.program, call.version, call.procedure, kind, call.serial, status, data
    )
    server.send(SendRaw(packet))


def heard(server: ScriptedServer) -> bytes:
    """Return what reached the guest."""
    events = server.events
    return b"".join(each.data for each in events if isinstance(each, StreamDataReceived))


def test_keys_and_characters_pass_as_they_are(
    server: ScriptedServer, window: PseudoTerminal
) -> None:
    assert window.is_raw
    # Ctrl-C, Ctrl-D, Ctrl-Z, Ctrl-\, Ctrl-S, Ctrl-Q, carriage return and newline.
    keys = b"ls\x03\x04\x1a\x1c\x13\x11\r\n\xff\0"
    window.type(keys)
    server.wait_until(lambda seen: heard(seen) == keys)
    say(server, b"a\nb\r\n\xc3\x1d")
    assert window.read_until(b"\x1d") == b"a\nb\r\n\xc3\x1d"
    window.type(b"last" + LEAVE + b"never sent")
    code, said = window.end()
    assert (code, said) == (0, BANNER + LEFT)
    assert window.mode == window.mode_before
    assert heard(server) == keys + b"last"
    assert any(isinstance(event, StreamAbortAsked) for event in server.events)


def end_of_guest(server: ScriptedServer) -> None:
    server.handle(remote.DOMAIN_IS_ACTIVE, remote.DomainIsActiveRet(active=0))
    say(server, b"")


def end_of_transient_guest(server: ScriptedServer) -> None:
    server.handle(remote.DOMAIN_IS_ACTIVE, ReplyError("gone", code=42))
    say(server, pack_error("stream had I/O failure", code=38), status=1)


def taken_by_another(server: ScriptedServer) -> None:
    say(server, pack_error("stream had I/O failure", code=38), status=1)


def end_of_daemon(server: ScriptedServer) -> None:
    server.send(CloseConnection())


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (end_of_guest, 0, "\nweb has shut off\n"),
        (end_of_transient_guest, 0, "\nweb has shut off\n"),
        (taken_by_another, 1, "taken by somebody else (stream had I/O failure)\n"),
        (end_of_daemon, 1, "\nvirtproto: the connection was lost: the daemon closed it\n"),
    ],
)
def test_the_terminal_is_as_before_when_the_other_side_ends(
    server: ScriptedServer,
    window: PseudoTerminal,
    end: Callable[[ScriptedServer], None],
    code: int,
    words: str,
) -> None:
    end(server)
    ended = window.end()
    assert ended[0] == code
    assert ended[1].startswith(BANNER)
    assert words in ended[1]
    assert window.mode == window.mode_before


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name
)
def test_the_terminal_is_as_before_after_a_signal(
    window: PseudoTerminal, number: signal.Signals
) -> None:
    window.process.send_signal(number)
    assert window.end() == (128 + number, BANNER + "\n")
    assert window.mode == window.mode_before


class _SilentStream:
    """A guest that says nothing for as long as the test goes on."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self.over.wait(60)
        return iter(())


def test_the_banner_is_for_a_terminal_that_is_raw_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = os.openpty()
    told: list[tuple[str, bool]] = []

    def tell(text: str) -> None:
        told.append((text, not termios.tcgetattr(far)[3] & termios.ICANON))
        if len(told) == 1:
            os.write(near, LEAVE)

    monkeypatch.setattr(console, "tell", tell)
    monkeypatch.setattr(console, "_STDIN", far)
    monkeypatch.setattr(console, "_STDERR", far)
    stream = _SilentStream()
    talk = console._Talk(cast(Any, stream), LEAVE)
    talk.run("welcome")
    stream.over.set()
    os.close(near)
    os.close(far)
    assert told == [("welcome\r", True), ("", False)]


@pytest.mark.usefixtures("server")
def test_closing_the_window_ends_the_command(window: PseudoTerminal) -> None:
    window.close_window()
    assert window.end()[0] == 128 + signal.SIGHUP


@pytest.mark.usefixtures("server")
def test_the_terminal_is_as_before_while_the_command_is_stopped(
    window: PseudoTerminal,
) -> None:
    assert window.stop_and_continue() == window.mode_before
    window.wait_for(raw=True)
    window.type(LEAVE)
    assert window.end() == (0, BANNER + LEFT)
    assert window.mode == window.mode_before


def test_a_guest_that_takes_nothing_can_be_left(
    server: ScriptedServer, window: PseudoTerminal
) -> None:
    goes_on = threading.Event()

    def stand_still() -> None:
        goes_on.wait(60)

    server._do(stand_still)
    try:
        # More than sockets hold.
        window.type(bytes(600_000) + LEAVE)
        assert window.end() == (0, BANNER + LEFT)
    finally:
        goes_on.set()
    assert window.mode == window.mode_before


def test_a_window_that_takes_nothing_can_be_left(
    server: ScriptedServer, window: PseudoTerminal
) -> None:
    for _ in range(8):
        say(server, bytes(200_000))
    window.type(b"there" + LEAVE)
    # What it was about to show is not waited for.
    assert window.end() == (0, BANNER + LEFT)
    assert heard(server) == b"there"
    assert window.mode == window.mode_before


def test_what_is_asked_of_the_daemon(server: ScriptedServer, uri: str) -> None:
    options = ["--device", "serial1", "--force", "--safe", "--escape", "^a"]
    with PseudoTerminal("console", "-c", uri, *options, "web") as window:
        window.read_until(LOGIN)
        window.type(b"\x1d\x01")
        code, said = window.end()
    assert (code, "; ^A leaves it" in said) == (0, True)
    args = remote.DomainOpenConsoleArgs.unpack(opening(server).payload)
    assert (args.dom, args.dev_name, args.flags) == (WEB, "serial1", 3)
    assert heard(server) == b"\x1d"


def pipe(uri: str, given: bytes, *, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "virtproto", "console", "-c", uri, "web"],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    process.stdin = None
    return process


def test_in_a_pipe_everything_is_sent_and_output_goes_on(server: ScriptedServer, uri: str) -> None:
    given = b"escape \x1d is sent\n" * 5000
    with pipe(uri, given) as process:
        server.wait_until(lambda seen: heard(seen) == given, 30.0)
        say(server, b"after the input's end")
        end_of_guest(server)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, LOGIN + b"after the input's end", b"")


@pytest.mark.parametrize("redirected", ["<&-", "<&- 2>&-"])
def test_a_closed_input_is_an_empty_one(server: ScriptedServer, uri: str, redirected: str) -> None:
    """The first number that the system gives out is that of the input, also to a socket."""
    command = [sys.executable, "-m", "virtproto", "console", "-c", uri, "web"]
    with subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        try:
            server.wait_until(opening)
            # Else what comes from the daemon is read by who reads the input.
            assert os.readlink(f"/proc/{process.pid}/fd/0") == os.devnull
            say(server, b"heard")
            end_of_guest(server)
            assert process.communicate(timeout=30) == (LOGIN + b"heard", b"")
        finally:
            process.kill()
    assert (process.returncode, heard(server)) == (0, b"")


@pytest.mark.usefixtures("server")
def test_a_reader_that_has_enough_ends_it(uri: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pipe(uri, b"", stdout=writing) as process:
        os.close(writing)
        assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 1


def refusal(capsys: pytest.CaptureFixture[str], uri: str, *options: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["console", "-c", uri, *options])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return code, captured.err


def test_a_domain_that_is_not_there(
    capsys: pytest.CaptureFixture[str], server: ScriptedServer, uri: str
) -> None:
    for procedure in (remote.DOMAIN_LOOKUP_BY_NAME, remote.DOMAIN_LOOKUP_BY_ID):
        server.handle(procedure, ReplyError("Domain not found", code=42))
    code, said = refusal(capsys, uri, "wep")
    assert (code, "there is no domain wep; did you mean web?" in said) == (1, True)
    code, said = refusal(capsys, uri, "7")
    assert (code, "there is no domain 7 (" in said) == (1, True)


def test_a_domain_may_be_named_by_uuid_or_number(
    capsys: pytest.CaptureFixture[str], server: ScriptedServer, uri: str
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, ReplyError("Domain not found", code=42))
    server.handle(remote.DOMAIN_LOOKUP_BY_UUID, remote.DomainLookupByUuidRet(dom=WEB))
    server.handle(remote.DOMAIN_LOOKUP_BY_ID, remote.DomainLookupByIdRet(dom=WEB))
    server.handle(remote.DOMAIN_OPEN_CONSOLE, ReplyError("found", code=38))
    for given in ("00010203-0405-0607-0809-0a0b0c0d0e0f", "7"):
        assert "found (DOMAIN_OPEN_CONSOLE" in refusal(capsys, uri, given)[1]


DEVICES = """<domain><devices>
<disk type='file'><alias name='disk0'/></disk>
<serial type='unix'><alias name='serial0'/></serial><console type='pty'/>
<console type='unix'><alias name='serial0'/></console>
</devices></domain>"""


@pytest.mark.parametrize(
    ("answer", "active", "xml", "words"),
    [
        (ReplyError("in use", code=9), 1, "", "in use; --force takes it over (DOMAIN_OPEN"),
        (ReplyError("not running", code=55), 0, "", "not running; start it first (DOMAIN_OPEN"),
        (ReplyError("not so", code=55), 1, "", "not so (DOMAIN_OPEN"),
        (ReplyError("none", code=1), 1, DEVICES, "none; it has serial0 (serial, unix) (DOMAIN"),
        (
            ReplyError("<null>", code=1),
            1,
            "<domain/>",
            ": domain web has no console or serial line (",
        ),
        (ReplyError("none", code=1), 1, "<dom", "none (DOMAIN_OPEN"),
    ],
)
def test_a_console_that_is_not_to_be_had(
    capsys: pytest.CaptureFixture[str],
    server: ScriptedServer,
    uri: str,
    answer: ReplyError,
    active: int,
    xml: str,
    words: str,
) -> None:
    server.handle(remote.DOMAIN_OPEN_CONSOLE, answer)
    server.handle(remote.DOMAIN_IS_ACTIVE, remote.DomainIsActiveRet(active=active))
    server.handle(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescRet(xml=xml))
    code, said = refusal(capsys, uri, "web")
    assert (code, words in said) == (1, True), said


@pytest.mark.parametrize(
    ("text", "escape"),
    [
        ("^]", b"\x1d"),
        ("^a", b"\1"),
        ("^?", b"\x7f"),
        ("^@", b"\0"),
        ("~", b"~"),
        ("^", b"^"),
        ("none", b""),
    ],
)
def test_escape_characters(text: str, escape: bytes) -> None:
    assert read_escape(text) == escape
    if escape:
        assert show_escape(escape) == text.upper()


@pytest.mark.parametrize("text", ["", "ab", "^^^", "ä", "^1"])
def test_what_is_no_escape_character(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--escape: expected one character"):
        read_escape(text)
    assert main(["console", "web", f"--escape={text}"]) == 2
    assert "--escape" in capsys.readouterr().err
