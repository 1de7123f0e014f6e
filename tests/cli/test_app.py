"""The command as a user meets it: output, one line for every error, exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from virtproto.cli import main
from virtproto.cli.app import app
from virtproto.protocol.events import CallReceived
from virtproto.testing import NoReply, ReplyError, ReplyUnknownProcedure, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WEB = NonnullDomain(name="web", uuid=UUID, id=7)
MAIL = NonnullDomain(name="m\x1b[31mail", uuid=bytes(16), id=-1)
GONE = NonnullDomain(name="gone", uuid=bytes([1] * 16), id=-1)
STATES = {"web": 1, "m\x1b[31mail": 5}


def state_of(call: CallReceived) -> Answer:
    name = remote.DomainGetStateArgs.unpack(call.payload).dom.name
    if name not in STATES:
        return ReplyError("Domain not found", code=42)
    return remote.DomainGetStateRet(state=STATES[name], reason=0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        listed = remote.ConnectListAllDomainsRet(domains=[WEB, MAIL, GONE], ret=3)
        running.handle(remote.CONNECT_LIST_ALL_DOMAINS, listed)
        running.handle(remote.DOMAIN_GET_STATE, state_of)
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=WEB))
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


class Said:
    """What one run of the command printed and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    capsys.readouterr()
    code = main(arguments)
    captured = capsys.readouterr()
    return Said(code, captured.out, captured.err)


def refused(said: Said, code: int, words: str) -> None:
    """Check for one line on stderr and nothing else."""
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("virtproto: ")
    assert said.err.count("\n") == 1
    assert words in said.err


@pytest.mark.usefixtures("server")
def test_list_shows_all_domains(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    said = run(capsys, "list", "-c", uri)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "Id  Name          State",
        "7   web           running",
        "-   m\\x1b[31mail  shut off",
    ]


@pytest.mark.usefixtures("server")
def test_list_with_uuids_and_as_json(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    said = run(capsys, "list", "--uuid", "--connect", uri)
    assert said.out.splitlines()[1] == f"7   web           running   {UUID_TEXT}"
    found = json.loads(run(capsys, "list", "--json", "-c", uri).out)
    assert found == [
        {"id": 7, "name": "web", "state": "running", "uuid": UUID_TEXT},
        {
            "id": None,
            "name": "m\x1b[31mail",
            "state": "shut off",
            "uuid": "00000000-0000-0000-0000-000000000000",
        },
    ]


@pytest.mark.parametrize(("options", "flags"), [([], 0), (["--active"], 1), (["--inactive"], 2)])
def test_list_filters_at_the_daemon(
    capsys: pytest.CaptureFixture[str],
    server: ScriptedServer,
    uri: str,
    options: list[str],
    flags: int,
) -> None:
    assert run(capsys, "list", *options, "-c", uri).code == 0
    asked = [c for c in server.calls if c.procedure == remote.CONNECT_LIST_ALL_DOMAINS.number]
    assert remote.ConnectListAllDomainsArgs.unpack(asked[0].payload).flags == flags


@pytest.mark.usefixtures("server")
def test_the_environment_names_the_uri(
    capsys: pytest.CaptureFixture[str], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", uri)
    assert "web" in run(capsys, "list").out


def test_errors_of_the_way_and_of_the_daemon_are_1(
    capsys: pytest.CaptureFixture[str], server: ScriptedServer, uri: str, tmp_path: Path
) -> None:
    refused(run(capsys, "list", "-c", f"qemu:///system?socket={tmp_path}/no"), 1, "no socket")
    server.handle(remote.CONNECT_LIST_ALL_DOMAINS, ReplyError("two\nlines", code=1))
    said = run(capsys, "list", "-c", uri)
    refused(said, 1, "two lines (CONNECT_LIST_ALL_DOMAINS, error 1)\n")
    server.handle(remote.DOMAIN_SUSPEND, ReplyUnknownProcedure())
    args = f"dom.name=web dom.uuid={UUID_TEXT} dom.id=7".split()
    refused(run(capsys, "call", "DOMAIN_SUSPEND", *args, "-c", uri), 1, "libvirt 0.0.3 or later\n")
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, ReplyError("Domain not found", code=42))
    said = run(capsys, "call", "domain_lookup_by_name", "name=web", "-c", uri)
    assert said.err == "virtproto: Domain not found (DOMAIN_LOOKUP_BY_NAME, error 42)\n"


def test_errors_of_the_command_line_are_2(capsys: pytest.CaptureFixture[str]) -> None:
    refused(run(capsys, "smoke"), 2, "No such command 'smoke'")
    refused(run(capsys, "list", "--smoke"), 2, "--smoke")
    refused(run(capsys, "list", "-c", "system"), 2, "no driver")
    refused(run(capsys, "list", "-c", "qemu+smoke://host/"), 2, "'smoke' is not a transport")
    refused(run(capsys, "call"), 2, "PROC")


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys)
    assert said.code == 2
    assert "Usage: virtproto" in said.err
    helped = run(capsys, "--help")
    assert helped.code == 0
    assert "Usage: virtproto" in helped.out
    # Each command's line is a whole sentence.
    commands = helped.out.partition("Commands:\n")[2].splitlines()
    assert len(commands) == sum(not each.hidden for each in app.commands.values())
    assert [line for line in commands if "..." in line or not line.endswith(".")] == []
    assert run(capsys, "--version").out == f"virtproto {virtproto.__version__}\n"


def test_without_click_one_line_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    refused(run(capsys, "list"), 2, "pip install 'virtproto[cli]'")


def test_an_interrupt_is_130_and_quiet(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.CONNECT_LIST_ALL_DOMAINS, NoReply())
    command = [sys.executable, "-m", "virtproto", "list", "-c", uri]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        number = remote.CONNECT_LIST_ALL_DOMAINS.number
        try:
            server.wait_until(lambda seen: any(c.procedure == number for c in seen.calls), 30.0)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_reader_that_has_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "virtproto", "procs"],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "virtproto"]
LAST_WORDS = "virtproto: the output cannot be written: {}\n"


def shell(redirected: str, *arguments: str) -> Said:
    """Run the command with redirections that only a shell can make."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("words", ["list -c URI", "procs", "procs DOMAIN_GET_INFO", "--help"])
@pytest.mark.parametrize(
    ("redirected", "number"), [(">/dev/full", errno.ENOSPC), (">&-", errno.EBADF)]
)
def test_output_that_cannot_be_written_is_one_line(
    uri: str, words: str, redirected: str, number: int
) -> None:
    said = shell(redirected, *words.replace("URI", uri).split())
    assert said.err == LAST_WORDS.format(os.strerror(number))
    assert (said.code, said.out) == (1, "")


def test_without_output_a_closed_stdout_does_not_matter(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.DOMAIN_SUSPEND, b"")
    args = f"dom.name=web dom.uuid={UUID_TEXT} dom.id=7".split()
    said = shell(">&-", "call", "DOMAIN_SUSPEND", *args, "-c", uri)
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_errors_that_cannot_be_told_leave_the_exit_code(redirected: str, tmp_path: Path) -> None:
    for code, words in (
        (2, ""),
        (2, "smoke"),
        (1, f"list -c qemu:///system?socket={tmp_path}/no"),
    ):
        said = shell(redirected, *words.split())
        assert (said.code, said.out, said.err) == (code, "", "")


def test_a_closed_input_is_not_sent(uri: str) -> None:
    said = shell("<&-", "vol-upload", "-c", uri, "pool", "volume", "-")
    refused(said, 2, "FILE: the input is closed\n")


def test_output_and_errors_may_both_be_full() -> None:
    said = shell(">/dev/full 2>/dev/full", "procs")
    assert (said.code, said.out, said.err) == (1, "", "")


@pytest.mark.usefixtures("server")
def test_a_closed_stderr_takes_nothing_from_the_output(uri: str) -> None:
    said = shell("2>&-", "list", "-c", uri)
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["Id", "Name", "State"]


def test_python_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "virtproto", "--version"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=True,
    )
    assert done.stdout == f"virtproto {virtproto.__version__}\n"


def test_a_comparison_has_an_exit_code_as_diff_has(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, "diff-protocol", "9.0.0", "9.0.0").code == 0
    assert run(capsys, "diff-protocol", "9.0.0", "7.0.0", "--json").code == 1
    refused(run(capsys, "diff-protocol", "9.0.0", "9"), 2, "expected a release such as 9.0.0")
    nobody = f"test:///default?socket={tmp_path / 'none'}"
    refused(run(capsys, "diff-protocol", "9.0.0", nobody), 2, "there is no socket")


def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        said = run(capsys, "completion", shell)
        assert said.code == 0
        assert "complete -- " in said.out
    refused(run(capsys, "completion", "tcsh"), 2, "'tcsh' is not one of 'bash', 'zsh', 'fish'")


def test_a_call_names_what_is_wrong(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    words = ("dom=web", "user=root", "pasword=hunter2")
    said = run(capsys, "call", "-c", uri, "DOMAIN_SET_USER_PASSWORD", *words)
    refused(said, 2, "argument 3: no field of that name; there are dom, user, password, flags")
    assert "hunter2" not in said.err
