"""Session daemons that are started where nobody listens, beside libvirt's own client."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.daemon import NOBODY
from tests.lab.place import repository

pytestmark = pytest.mark.lab

LIMIT_S = 60
# A session daemon's, as libvirt has it for every URI of this kind, where the user is not root.
URI = "test+unix:///default"

# The user may read our files, which may lie where others have no business.
CAPABILITIES = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]

PROGRAM = """
import json, os, sys
import virtproto
from tests.colours.driving import COLOURS
from virtproto.transport import autostart
colours, options, limit_s = json.loads(sys.argv[1])
autostart._LIMIT_S = limit_s
told = []
for colour in colours:
    try:
        with COLOURS[colour](sys.argv[2], **options) as connection:
            told.append([domain.get_name() for domain in connection.list_all_domains()])
    except virtproto.VirtprotoError as error:
        told.append(f"{type(error).__name__}: {error}")
children = open(f"/proc/self/task/{os.getpid()}/children").read()
print(json.dumps([told, children, len(os.listdir("/proc/self/fd"))]))
"""

# The same by libvirt's own client.
BINDING_PROGRAM = """
import sys, libvirt
print(*[domain.name() for domain in libvirt.open(sys.argv[1]).listAllDomains()])
"""


class Home:
    """What a user has, to start a daemon in; the daemon ends with the block."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vp-", dir="/tmp"))
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME"):
            (self.folder / name).mkdir(mode=0o700)
            self.environment[f"XDG_{name}"] = str(self.folder / name)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)

    @property
    def sockets(self) -> Path:
        """Where the daemon's sockets are."""
        return self.folder / "RUNTIME_DIR" / "libvirt"

    def daemons(self) -> list[int]:
        """The daemons that run here."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                mine = str(self.folder).encode() in (process / "environ").read_bytes()
                if mine and b"--timeout=120" in (process / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def begin(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a command as this user."""
        himself = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *CAPABILITIES]
        return subprocess.Popen(
            ["setpriv", *himself, *command],
            env={**self.environment, "PYTHONPATH": str(repository), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def client(
        self, *colours: str, options: dict[str, Any], limit_s: float = 20.0, **more: str
    ) -> subprocess.Popen[str]:
        """Start a program that opens a connection in each of the colours in turn."""
        what = json.dumps([colours, options, limit_s])
        return self.begin(sys.executable, "-c", PROGRAM, what, URI, **more)

    def end(self) -> None:
        """End the daemons, and remove all that was written."""
        deadline = time.monotonic() + LIMIT_S
        while daemons := self.daemons():
            assert time.monotonic() < deadline
            for pid in daemons:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()
    try:
        yield made
    finally:
        made.end()


def told(client: subprocess.Popen[str]) -> list[Any]:
    """What a client met in each colour; it has left no process behind."""
    said, complaints = client.communicate(timeout=LIMIT_S)
    assert (client.returncode, complaints) == (0, "")
    met, children, _ = json.loads(said)
    assert children == ""
    return list(met)


@pytest.mark.parametrize("colour", ["sync", "aio"])
def test_a_daemon_is_started_and_stays(home: Home, colour: str) -> None:
    assert told(home.client(colour, options={"autostart": True})) == [["test"]]
    (daemon,) = home.daemons()
    # It is the system's by now, and in no terminal's way.
    assert os.getsid(daemon) != os.getsid(0)
    assert Path(f"/proc/{daemon}/cwd").readlink() == Path("/")
    environment = Path(f"/proc/{daemon}/environ").read_bytes()
    assert b"LC_ALL=C\0" in environment
    assert b"PYTHONPATH" not in environment
    assert not list(home.sockets.glob("*.lock"))
    # The next one finds it, asked to start one or not.
    for options in ({"autostart": True}, {"autostart": False}):
        assert told(home.client("sync", "aio", options=options)) == [["test"], ["test"]]
    assert home.daemons() == [daemon]


def test_the_command_starts_one_when_told_to(home: Home) -> None:
    for option, code, words in (
        ([], 1, "there is no socket"),
        (["--autostart"], 0, "test"),
        ([], 0, "test"),
    ):
        command = home.begin(sys.executable, "-m", "virtproto", "list", "-c", URI, *option)
        said, complaints = command.communicate(timeout=LIMIT_S)
        assert (command.returncode, words in said + complaints) == (code, True), complaints
    assert len(home.daemons()) == 1


@pytest.mark.parametrize(("options", "allowed"), [({}, "1"), ({"autostart": True}, "0")])
def test_none_is_started_that_is_not_wanted(
    home: Home, options: dict[str, Any], allowed: str
) -> None:
    for met in told(home.client("sync", "aio", options=options, LIBVIRT_AUTOSTART=allowed)):
        assert met.startswith(f"SocketMissingError: there is no socket {home.sockets}/libvirt-sock")
    assert home.daemons() == []
    assert not home.sockets.exists()


def test_many_at_once_start_one_between_them(home: Home) -> None:
    home.sockets.mkdir(mode=0o700)
    os.chown(home.sockets, NOBODY, NOBODY)
    # A socket that a daemon left when it crashed.
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home.sockets / "libvirt-sock"))
    os.chown(home.sockets / "libvirt-sock", NOBODY, NOBODY)
    clients = [home.client(colour, options={"autostart": True}) for colour in ("sync", "aio") * 2]
    others = [home.begin("/usr/bin/python3", "-c", BINDING_PROGRAM, URI) for _ in range(2)]
    assert [told(client) for client in clients] == [[["test"]]] * 4
    for other in others:
        said, complaints = other.communicate(timeout=LIMIT_S)
        assert said.split() == ["test"], complaints
    assert len(home.daemons()) == 1


def test_a_daemon_that_does_not_come_is_told(home: Home) -> None:
    program = home.folder / "libvirtd"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    client = home.client(
        "sync", "aio", options={"autostart": True}, limit_s=0.2, VIRTD_PATH=str(home.folder)
    )
    for met in told(client):
        assert met.startswith(f"ConnectError: {program} was started, but nobody listens on ")
    assert not list(home.sockets.glob("*.lock"))


def test_a_daemon_that_is_not_installed_is_named(home: Home) -> None:
    client = home.client("sync", "aio", options={"autostart": True}, VIRTD_PATH="/nowhere")
    for met in told(client):
        assert "ConnectError: nobody listens on " in met
        assert "no program /nowhere/libvirtd" in met


def test_the_time_limit_holds_for_the_start_too(home: Home) -> None:
    program = home.folder / "libvirtd"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    options = {"autostart": True, "timeout_s": 0.2}
    for met in told(home.client("sync", "aio", options=options, VIRTD_PATH=str(home.folder))):
        assert met.startswith("DeadlineError: ")
