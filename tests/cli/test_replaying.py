"""``virtproto replay``: what it is told, what it tells, and its exit codes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from tests.lab.place import repository
from tests.trace.replaying.tape import WEB, Tape, found, lookup
from virtproto.cli.app import run
from virtproto.testing import ScriptedServer
from virtproto.wire import remote

_PROGRAM = (sys.executable, "-m", "virtproto")
LOOKUP = "DOMAIN_LOOKUP_BY_NAME"


def replay(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run(
        [*_PROGRAM, "replay", *arguments],
        input=given,
        capture_output=True,
        cwd=repository,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What was said when a domain was looked up, and its state asked for."""
    tape = Tape().opened().ask(LOOKUP, lookup("web"), found(WEB))
    state = remote.DomainGetStateRet(state=1, reason=1)
    tape.ask("DOMAIN_GET_STATE", remote.DomainGetStateArgs(dom=WEB, flags=0), state)
    return tape.save(tmp_path / "it.vprec")


def _call(name: str) -> list[str]:
    """Return the command that looks up a domain."""
    return ["--", *_PROGRAM, "call", LOOKUP, f"name={name}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a COMMAND to run, or --listen SOCK, or --to URI"),
        (["--to", "test:///x", "--listen", "/x"], "one of the three"),
        (["--to", "test:///x", "--", "true"], "one of the three"),
        (["--listen", "/x", "-c", "test:///x"], "-c is for a COMMAND"),
        (["--to", "test:///x", "--once"], "--once is for --listen"),
        (["--to", "test:///x", "--loose"], "--loose is not for --to"),
        (["--ignore", "x", "--", "true"], "--ignore is for --to"),
        (["--to", "test:///x", "--ignore", ""], "a pattern must not be empty"),
        (["--to", "test:///x", "--timeout", "0"], "--timeout: expected seconds above 0"),
        (["--to", "test:///x", "--timeout", "nan"], "--timeout: expected seconds above 0"),
        (["--listen", "/x", "--mode", "9"], "--mode: expected octal permissions"),
        (["--listen", "tcp:nowhere"], "tcp:HOST:PORT is wanted"),
        (["--to", "test+carrier-pigeon:///x"], "carrier-pigeon"),
    ],
)
def test_misuse_is_refused(
    file: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(file), *words]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert said in errors
    assert len(errors.splitlines()) == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    code, _, errors = replay(str(tmp_path / "none"), "--", "true")
    assert code == 2
    assert "No such file" in errors
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 9)
    code, _, errors = replay(str(tmp_path / "noise"), "--", "true")
    assert code == 1
    assert "no recording" in errors
    empty = Tape().save(tmp_path / "empty")
    code, _, errors = replay(str(empty), "--", "true")
    assert code == 1
    assert "no conversation" in errors


def test_a_command_is_answered_and_its_exit_code_kept(file: Path) -> None:
    code, output, errors = replay(str(file), *_call("web"))
    assert code == 0
    assert json.loads(output)["dom"]["name"] == "web"
    assert "1 call answered" not in errors
    assert "1 recorded call not made (DOMAIN_GET_STATE); 0 deviations" in errors
    assert replay(str(file), "--strict", *_call("web"))[0] == 1


def test_a_command_that_does_otherwise_is_told_so(file: Path) -> None:
    code, output, errors = replay(str(file), "--json", *_call("mail"))
    assert (code, output) == (1, "")
    deviation, said, last = errors.splitlines()
    assert json.loads(deviation)["procedure"] == LOOKUP
    assert json.loads(deviation)["detail"] == 'name="mail"'
    assert 'name is "mail", recorded was "web"' in said
    assert json.loads(last)["summary"]["deviations"] == 1
    assert replay(str(file), "--loose", *_call("mail"))[0] == 1


def test_commands_that_connect_to_nothing_or_cannot_be_run(file: Path) -> None:
    code, _, errors = replay(str(file), "--", "true")
    assert code == 1
    assert "made no connection" in errors
    assert replay(str(file), "--", "sh", "-c", "exit 7")[0] == 7
    code, _, errors = replay(str(file), "--", "no-such-program")
    assert code == 127
    assert "cannot be run" in errors


def test_packed_cut_and_piped_recordings(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    packed = tmp_path / "it.vprec.gz"
    packed.write_bytes(gzip.compress(data))
    assert replay(str(packed), *_call("web"))[0] == 0
    assert replay("-", *_call("web"), given=data)[0] == 0
    cut = tmp_path / "cut.vprec"
    cut.write_bytes(data[:-3])
    code, _, errors = replay(str(cut), *_call("web"))
    assert code == 0
    assert "cut off within its last record" in errors
    cut.write_bytes(gzip.compress(data)[:-12])
    code, _, errors = replay(str(cut), *_call("web"))
    assert "what gzip packed is cut off" in errors


def test_a_daemon_that_answers_otherwise(file: Path, tmp_path: Path) -> None:
    other = remote.NonnullDomain(name="web", uuid=b"o" * 16, id=9)
    state = remote.DomainGetStateRet(state=5, reason=1)
    with ScriptedServer(
        {remote.DOMAIN_LOOKUP_BY_NAME: found(other), remote.DOMAIN_GET_STATE: state}
    ) as server:
        uri = f"test+unix:///default?socket={server.listen(tmp_path / 'sock')}"
        code, output, errors = replay(str(file), "--to", uri)
        assert (code, errors) == (1, "")
        assert output.splitlines() == [
            f'message 3, {LOOKUP}(name="web"): one difference',
            f"    dom.uuid: {UUID(bytes=b'w' * 16)} -> {UUID(bytes=b'o' * 16)}",
            'message 5, DOMAIN_GET_STATE(dom="web"(1) flags=0): one difference',
            "    state: 1 -> 5",
            "3 calls made, 3 answers compared, 1 difference passed over; 2 deviations",
        ]
        assert replay(str(file), "--to", uri, "--ignore", "*.uuid", "--ignore", "state")[0] == 0
        asked = remote.DomainGetStateArgs.unpack(server.calls[3].payload)
    # The daemon's own object, not the recorded one.
    assert asked.dom == other


def test_nothing_is_changed_at_a_daemon_unless_that_is_wanted(tmp_path: Path) -> None:
    tape = Tape().opened().ask(LOOKUP, lookup("web"), found(WEB))
    undefine, destroy = remote.DomainUndefineArgs(dom=WEB), remote.DomainDestroyArgs(dom=WEB)
    for _ in range(2):
        tape.ask("DOMAIN_DESTROY", destroy, b"")
    file = tape.ask("DOMAIN_UNDEFINE", undefine, b"").save(tmp_path / "it")
    with ScriptedServer(
        {
            remote.DOMAIN_LOOKUP_BY_NAME: found(WEB),
            remote.DOMAIN_DESTROY: None,
            remote.DOMAIN_UNDEFINE: None,
        }
    ) as server:
        uri = f"test+unix:///default?socket={server.listen(tmp_path / 'sock')}"
        code, output, errors = replay(str(file), "--to", uri)
        assert (code, output, server.calls) == (2, "", [])
        assert "DOMAIN_DESTROY (2 times), DOMAIN_UNDEFINE; nothing was sent" in errors
        code, _, errors = replay(str(file), "--to", uri, "--allow-changes")
        assert (code, errors) == (0, "")
        assert len(server.calls) > 3


def test_a_daemon_that_is_not_there(file: Path, tmp_path: Path) -> None:
    uri = f"test+unix:///default?socket={tmp_path / 'none'}"
    code, output, errors = replay(str(file), "--to", uri)
    assert (code, output) == (1, "")
    assert "there is no socket" in errors


def test_nothing_acts_on_a_terminal(tmp_path: Path) -> None:
    file = Tape().opened().ask(LOOKUP, lookup("\x1b[2Jx"), found(WEB)).save(tmp_path / "it")
    _, _, errors = replay(str(file), *_call("y"))
    assert "\x1b" not in errors
