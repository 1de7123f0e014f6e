"""virsh under ``virtproto trace``: it says the same, and we see what Wireshark sees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import virtproto
from tests.cli.pseudo_terminal import PseudoTerminal
from tests.lab.daemon import PrivateDaemon
from tests.live.moving import NAME, Roads
from tests.live.test_console import echoing
from tests.live.tracing import Account, differences, run, trace_command, watched
from tests.live.volumes import MIB, content, volume

pytestmark = pytest.mark.lab

# What virsh itself asks on its way: the daemon's clock is in none of these answers.
PLAIN = {
    "list": ("list", "--all"),
    "unknown domain": ("dominfo", "nosuch"),
    "stats": ("domstats", "--state", "--balloon", "--vcpu"),
    "XML": ("dumpxml", "test"),
    "pools": ("pool-list", "--details"),
    "several": ("domstate test; net-list --all; capabilities; nodeinfo",),
}


def _same_in_both(
    tmp_path: Path, socket: str, uri: str, command: Sequence[str], stdin: bytes = b""
) -> Account:
    """Run virsh without and with the trace; hold the trace against Wireshark; return it."""
    alone = run(["virsh", "-c", uri.format(socket=socket), *command], stdin)
    report = tmp_path / "report.json"
    with watched(tmp_path, socket) as ([path], seen):
        traced = run(trace_command(report, "virsh", "-c", uri.format(socket=path), *command), stdin)
    assert (traced.code, traced.output, traced.errors) == (alone.code, alone.output, alone.errors)
    account = Account.of(report)
    [told] = account.conversations.values()
    found, leaves = differences(seen()[0], told)
    assert not found, "\n".join(found)
    assert leaves > 0
    return account


@pytest.mark.parametrize("command", list(PLAIN))
def test_virsh_says_the_same_and_wireshark_sees_the_same(
    libvirtd: PrivateDaemon, tmp_path: Path, command: str
) -> None:
    uri = "test+unix:///default?socket={socket}"
    account = _same_in_both(tmp_path, libvirtd.socket_path, uri, PLAIN[command])
    assert "CONNECT_OPEN" in account.procedures
    assert account.procedures[-1] == "CONNECT_CLOSE"


def test_upload_arrives_and_is_told_alike(
    libvirtd: PrivateDaemon, tmp_path: Path, memory: Path
) -> None:
    source = memory / "source"
    source.write_bytes(content(3 * MIB + 5))
    with (
        virtproto.open(libvirtd.uri("qemu:///system")) as connection,
        volume(connection, memory, 4 * MIB),
    ):
        account = _same_in_both(
            tmp_path,
            libvirtd.socket_path,
            "qemu+unix:///system?socket={socket}",
            ("vol-upload", "v", str(source), "--pool", memory.name),
        )
        written = (memory / "volumes" / "v").read_bytes()
    assert written[: 3 * MIB + 5] == source.read_bytes()
    [told] = account.conversations.values()
    sent = sum(each["size"] - 28 for each in told if each["kind"] == "data")
    assert sent == 3 * MIB + 5


def test_console_is_joined_through_the_trace(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with echoing(libvirtd, "traced"), watched(tmp_path, libvirtd.socket_path) as ([path], seen):
        uri = f"qemu+unix:///system?socket={path}"
        command = trace_command(report, "virsh", "-c", uri, "console", "traced")
        with PseudoTerminal(*command[3:], stderr_too=True) as terminal:
            terminal.read_until(b"^] (Ctrl + ])\r\n")
            # Before that the terminal itself echoes, and virsh reads all of it at once.
            terminal.wait_for(raw=True)
            terminal.type(b"is anybody there?\r")
            terminal.read_until(b"is anybody there?", anywhere=True)
            terminal.type(b"\x1d")
            assert terminal.process.wait(30) == 0
            assert terminal.mode == terminal.mode_before
    [told] = Account.of(report).conversations.values()
    found, _ = differences(seen()[0], told)
    assert not found, "\n".join(found)
    assert {"data", "finish"} & {each["kind"] for each in told}


def test_events_go_on_until_interrupted(libvirtd: PrivateDaemon, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with (
        virtproto.open(libvirtd.uri("test:///default")) as connection,
        watched(tmp_path, libvirtd.socket_path) as ([path], seen),
    ):
        uri = f"test+unix:///default?socket={path}"
        command = trace_command(
            report, "virsh", "-c", uri, "event", "--loop", "--event", "lifecycle"
        )
        with PseudoTerminal(*command[3:], stderr_too=True) as terminal:
            _until(report, "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", '"reply"')
            domain = connection.get_domain_by_name("test")
            domain.suspend()
            domain.resume()
            said = terminal.read_until(b"Resumed Unpaused\r\n")
            assert said.count(b"event 'lifecycle' for domain 'test'") == 2
            terminal.type(b"\x03")
            said = terminal.read_until(b"events received: 2\r\n\r\n")
            # As virsh ends for control and C where something happened.
            assert terminal.process.wait(30) == 0
    [told] = Account.of(report).conversations.values()
    found, _ = differences(seen()[0], told)
    assert not found, "\n".join(found)
    assert [each["kind"] for each in told].count("event") == 2


def test_live_migration_through_the_trace(roads: Roads, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    pair = roads.pair
    sockets = pair.source.socket_path, pair.target.socket_path
    with watched(tmp_path, *sockets) as ([source, target], seen):
        there, here = (f"qemu+unix:///system?socket={path}" for path in (target, source))
        command = ["virsh", "-c", here, "migrate", "--live", "--unsafe", NAME, there, roads.fresh()]
        done = run(trace_command(report, *command))
    assert (done.code, done.output.strip(), done.errors) == (0, b"", b"")
    with virtproto.open(pair.target_uri) as connection:
        assert connection.get_domain_by_name(NAME).is_active()
    account = Account.of(report)
    assert len(account.conversations) == 2
    for theirs, ours in zip(seen(), account.conversations.values(), strict=True):
        found, leaves = differences(theirs, ours)
        assert not found, "\n".join(found)
        assert leaves > 0
    told = {name.removesuffix("_PARAMS") for name in account.procedures}
    steps = ("BEGIN3", "PREPARE3", "PERFORM3", "FINISH3", "CONFIRM3")
    assert {f"DOMAIN_MIGRATE_{step}" for step in steps} <= told


def _until(report: Path, *words: str, count: int = 1) -> None:
    """Wait until so many lines of the report have all of the words in them."""

    def lines() -> list[str]:
        text = report.read_text() if report.exists() else ""
        return [line for line in text.splitlines() if all(word in line for word in words)]

    deadline = time.monotonic() + 30
    while len(lines()) < count:
        assert time.monotonic() < deadline, (words, lines())
        time.sleep(0.02)
