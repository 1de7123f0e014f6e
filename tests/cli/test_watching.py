"""``virtproto events``: names of kinds, lines and JSON, and when it stops."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.pseudo_terminal import ROOT
from tests.colours.test_events import LIFECYCLE, TWO, Registrar, lifecycle
from virtproto.cli import main
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, NoReply, ReplyError, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote

REGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  "


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A daemon that tells of two domains as soon as somebody wants to hear of any."""
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        registrar = Registrar(running)

        def register(call: CallReceived) -> Answer:
            answer = registrar.register(call)
            return [answer, lifecycle(0, 2), lifecycle(0, 77, TWO), lifecycle(0, 3)]  # type: ignore[list-item]

        running.handle(REGISTER, register)
        running.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=TWO))
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


@pytest.mark.usefixtures("server")
def test_a_line_for_each_event(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", uri, "domain-lifecycle", "--count", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(TIME + "domain-lifecycle  one  event=STARTED  detail=BOOTED", first)
    assert re.fullmatch(TIME + "domain-lifecycle  two  event=77  detail=0", second)


@pytest.mark.usefixtures("server")
def test_json_for_each_event(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", uri, "--json", "--count", "2", "DomainLifecycle"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[1])
    assert re.fullmatch(r"\d{4}-.*T.*\.\d{3}[+-]\d\d:\d\d", said.pop("time"))
    two = {"name": "two", "uuid": said["domain"]["uuid"]}
    assert said == {"kind": "domain-lifecycle", "domain": two, "event": 77, "detail": 0}


def test_events_of_one_domain(server: ScriptedServer, uri: str) -> None:
    options = ["--domain", "two", "--count", "1"]
    assert main(["events", "-c", uri, *options, "domain-lifecycle"]) == 0
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs.unpack(
        next(call.payload for call in server.calls if call.procedure == REGISTER.number)
    )
    assert args.dom == TWO


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("count", "code"), [([], 0), (["--count", "9"], 1)])
def test_it_stops_when_time_is_over(
    uri: str, capsys: pytest.CaptureFixture[str], count: list[str], code: int
) -> None:
    assert main(["events", "-c", uri, "--timeout", "0.3", "domain-lifecycle", *count]) == code
    said = capsys.readouterr()
    assert (said.out.count("\n"), said.err) == (3, "")


def test_without_kinds_it_is_all_that_the_daemon_knows(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", "-c", uri, "--count", "1"]) == 0
    asked = [call for call in server.calls if call.procedure == REGISTER.number]
    kinds = {
        remote.ConnectDomainEventCallbackRegisterAnyArgs.unpack(c.payload).eventID for c in asked
    }
    assert (LIFECYCLE in kinds, len(kinds) > 20) == (True, True)


@pytest.mark.parametrize(
    ("interrupted", "code", "words"), [(True, 130, ""), (False, 1, "the daemon closed it")]
)
def test_it_goes_on_until_interrupted_or_lost(
    server: ScriptedServer, uri: str, interrupted: bool, code: int, words: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "virtproto", "events", "-c", uri, "domain-lifecycle"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stdout is not None
        # Each is there at once, also in a pipe.
        for name in ("one", "two", "one"):
            assert f"  {name}  " in process.stdout.readline()
        if interrupted:
            process.send_signal(signal.SIGINT)
        else:
            server.send(CloseConnection())
        _, said = process.communicate(timeout=30)
    assert (process.returncode, words in said) == (code, True)
    assert said.count("\n") == (0 if interrupted else 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("domain-lifecicle", "no kind of event domain-lifecicle; did you mean domain-lifecycle"),
        ("zzz", "no kind of event zzz; --list shows them"),
        ("gap", "no kind of event gap"),
        ("--count 0", "--count: 0 events; at least 1"),
        ("--timeout 0", "--timeout: 0 seconds; more than 0"),
        ("--timeout nan", "--timeout: nan seconds"),
        ("qemu-monitor-event domain-reboot", "goes with no other kind"),
        ("network-lifecycle --domain two", "--domain: network-lifecycle is not about domains"),
    ],
)
@pytest.mark.usefixtures("server")
def test_mistakes(uri: str, capsys: pytest.CaptureFixture[str], words: str, expected: str) -> None:
    assert main(["events", "-c", uri, *words.split()]) == 2
    assert expected in capsys.readouterr().err


def test_a_daemon_that_has_become_silent_keeps_nobody(server: ScriptedServer, uri: str) -> None:
    deregister = remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY
    server.handle(deregister, NoReply())
    process = subprocess.Popen(
        [sys.executable, "-m", "virtproto", "events", "-c", uri, "domain-lifecycle"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10)[1] == b""
        finally:
            process.kill()
    assert process.returncode == 130
    assert deregister.number not in [call.procedure for call in server.calls]


def test_what_the_daemon_refuses(
    server: ScriptedServer, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle(REGISTER, ReplyError("not this one", code=8))
    assert main(["events", "-c", uri, "domain-lifecycle"]) == 1
    assert "not this one (" in capsys.readouterr().err
    server.handle(REGISTER, NoReply())
    assert main(["events", "-c", uri, "domain-lifecycle", "--timeout", "0.1"]) == 0


def test_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--list"]) == 0
    names = capsys.readouterr().out.split()
    assert len(names) == len(set(names)) > 30
    for name in ("domain-lifecycle", "domain-rtc-change", "domain-io-error", "secret-lifecycle"):
        assert name in names
    assert not {"gap", "graphics-address"} & set(names)
