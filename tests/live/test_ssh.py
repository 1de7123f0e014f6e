"""Roads by ssh to libvirtd 9.0.0 on a host with a real sshd: the system's ssh, and our own."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.leftovers import nothing_left
from tests.lab.ports import free_port
from tests.lab.sshd import SshHost, make_key
from tests.live.test_streams import volume
from virtproto.constants import DomainEventType, DomainMetadataType
from virtproto.errors import (
    ConnectError,
    ConnectionLostError,
    DeadlineError,
    HostKeyError,
    SocketRefusedError,
    SSHConnectError,
)

pytestmark = pytest.mark.lab

URI = "test:///default"
BOTH = ["ssh", "libssh"]
SOCKET = "/run/libvirt/libvirt-sock"
# What the far side's command takes, without what leads to a daemon.
SHELL = ("sh", "bash", "grep", "which")


@pytest.fixture(scope="module")
def host(libvirtd: PrivateDaemon) -> Iterator[SshHost]:
    """A host with all that a host with libvirt has."""
    with SshHost(libvirtd) as made:
        yield made


@pytest.fixture(scope="module")
def bare_host(libvirtd: PrivateDaemon) -> Iterator[SshHost]:
    """A host without virt-ssh-helper and nc."""
    with SshHost(libvirtd, programs=SHELL) as made:
        yield made


@pytest.fixture(scope="module")
def closed_host(libvirtd: PrivateDaemon) -> Iterator[SshHost]:
    """The same, and its sshd connects to no sockets."""
    more = "AllowStreamLocalForwarding no"
    with SshHost(libvirtd, programs=SHELL, more=more) as made:
        yield made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, without an agent."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    for name in ("XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY", "LIBVIRT_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    before = children()
    yield
    until(None, lambda: children() <= before)


def children() -> set[int]:
    """The processes that this one started, those that ended and were not seen off included."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def names(connection: virtproto.Connection) -> list[str]:
    return [domain.get_name() for domain in connection.list_all_domains()]


def visit(open_in_colour: Open, uri: str) -> tuple[list[str], bool]:
    """What a connection shows, and whether it is secure; nothing here keeps the connection."""
    with open_in_colour(uri) as connection:
        return names(connection), bool(connection.is_secure())


def ask_on(connection: virtproto.Connection) -> None:
    """Make calls until the end of the connection is seen."""
    for _ in range(1000):
        connection.get_hostname()


@pytest.mark.parametrize(
    ("transport", "parameters"),
    [
        ("ssh", {}),
        ("ssh", {"proxy": "native"}),
        ("ssh", {"proxy": "netcat"}),
        ("ssh", {"socket": SOCKET}),
        ("ssh", {"netcat": "nc.openbsd"}),
        ("libssh", {}),
        ("libssh", {"proxy": "netcat"}),
        ("libssh", {"socket": SOCKET}),
        ("libssh2", {"proxy": "native"}),
    ],
    ids=str,
)
def test_every_way_there(
    host: SshHost, open_in_colour: Open, transport: str, parameters: dict[str, str]
) -> None:
    with nothing_left():
        assert visit(open_in_colour, host.uri(URI, transport, **parameters)) == (["test"], True)


def test_plain_ssh_without_a_look_at_the_host_key(
    host: SshHost, open_in_colour: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # ssh goes by the home that the system knows of, not HOME's: it is given a program that adds
    # only where to write, and StrictHostKeyChecking=no is what the URI asks for.
    known = tmp_path / "known"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F none -o UserKnownHostsFile={known} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(HostKeyError, match="Host key verification failed"):
        open_in_colour(host.uri(URI, command=None)).__enter__()
    with open_in_colour(host.uri(URI, command=None, no_verify=1)) as connection:
        assert names(connection) == ["test"]


@pytest.mark.parametrize("transport", BOTH)
def test_readonly(host: SshHost, open_in_colour: Open, transport: str) -> None:
    with open_in_colour(host.uri(URI, transport), readonly=True) as connection:
        assert names(connection) == ["test"]


def test_a_host_without_helpers_leads_by_its_sshd_to_the_socket(
    bare_host: SshHost, open_in_colour: Open
) -> None:
    for parameters in ({}, {"proxy": "native"}, {"proxy": "netcat"}, {"socket": SOCKET}):
        with open_in_colour(bare_host.uri(URI, "libssh", **parameters)) as connection:
            assert names(connection) == ["test"]


def test_a_host_that_runs_nothing_leads_by_its_sshd_to_the_socket(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        SshHost(libvirtd, more="ForceCommand /usr/sbin/nologin") as host,
        open_in_colour(host.uri(URI, "libssh")) as connection,
    ):
        assert names(connection) == ["test"]


def test_a_host_without_any_way_says_what_is_missing(
    closed_host: SshHost, bare_host: SshHost, open_in_colour: Open
) -> None:
    with pytest.raises(SSHConnectError, match="nc: not found"):
        open_in_colour(bare_host.uri(URI)).__enter__()
    with pytest.raises(SSHConnectError, match="nc: not found") as caught:
        open_in_colour(closed_host.uri(URI, "libssh")).__enter__()
    assert "administratively prohibited" in str(caught.value) or "open failed" in str(caught.value)


@pytest.mark.parametrize("transport", BOTH)
def test_a_missing_socket_there_is_told(
    host: SshHost, open_in_colour: Open, transport: str
) -> None:
    with pytest.raises(SSHConnectError, match="/nowhere/sock: No such file or directory"):
        open_in_colour(host.uri(URI, transport, socket="/nowhere/sock")).__enter__()


@pytest.mark.parametrize("transport", BOTH)
def test_a_wrong_key_is_told(
    host: SshHost, open_in_colour: Open, transport: str, tmp_path: Path
) -> None:
    make_key(tmp_path / "other")
    uri = host.uri(URI, transport, keyfile=str(tmp_path / "other"))
    with nothing_left(), pytest.raises(SSHConnectError, match="Permission denied"):
        open_in_colour(uri).__enter__()


def test_a_missing_key_is_told(host: SshHost, open_in_colour: Open) -> None:
    uri = host.uri(URI, "libssh", keyfile="/nowhere/key")
    with pytest.raises(SSHConnectError, match="/nowhere/key: No such file or directory"):
        open_in_colour(uri).__enter__()


def test_a_host_that_is_down_is_told(host: SshHost, open_in_colour: Open) -> None:
    port = free_port()
    uri = host.uri(URI).replace(f":{host.port}/", f":{port}/")
    with pytest.raises(SSHConnectError, match="Connection refused"):
        open_in_colour(uri).__enter__()
    uri = host.uri(URI, "libssh").replace(f":{host.port}/", f":{port}/")
    with nothing_left(), pytest.raises(SocketRefusedError, match=f"127.0.0.1:{port}"):
        open_in_colour(uri).__enter__()


def test_a_server_that_says_nothing_costs_the_time_limit(open_in_colour: Open) -> None:
    import socket

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        uri = f"test+libssh://127.0.0.1:{silent.getsockname()[1]}/default"
        with (
            nothing_left(),
            pytest.raises(DeadlineError, match=r"let nobody in within 0\.3 s"),
        ):
            open_in_colour(f"{uri}?known_hosts_verify=ignore", timeout_s=0.3).__enter__()


def test_a_server_of_another_kind_is_told(open_in_colour: Open) -> None:
    import socket

    def greet() -> None:
        with closing(silent.accept()[0]) as sock:
            sock.sendall(b"220 mail is here\r\n" * 2000)

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        threading.Thread(target=greet).start()
        uri = f"test+libssh://127.0.0.1:{silent.getsockname()[1]}/default"
        with nothing_left(), pytest.raises(SSHConnectError, match=r"ssh to root@127\.0\.0\.1"):
            open_in_colour(f"{uri}?known_hosts_verify=ignore").__enter__()


def test_without_an_ssh_program_the_transport_says_so_and_the_other_works(
    host: SshHost, open_in_colour: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SSHConnectError, match=r"cannot run ssh: .* transport libssh"):
        open_in_colour(host.uri(URI, command=None)).__enter__()
    with open_in_colour(host.uri(URI, "libssh")) as connection:
        assert names(connection) == ["test"]


def test_without_the_extra_its_name_is_told(
    host: SshHost, open_in_colour: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(SSHConnectError, match=r"virtproto\[ssh\]"):
        open_in_colour(host.uri(URI, "libssh")).__enter__()


def test_an_unknown_host_key_is_refused_where_nobody_can_be_asked(
    host: SshHost, open_in_colour: Open, home: Path
) -> None:
    # Not to be found where ssh keeps its own: libvirt has a file apart.
    (home / ".ssh").mkdir()
    (home / ".ssh" / "known_hosts").write_text(Path(host.known_hosts).read_text())
    said = refusal(open_in_colour, host.uri(URI, "libssh", known_hosts=None))
    assert str(home / ".config/libvirt/known_hosts") in said
    assert fingerprint(host) in said
    assert "known_hosts_verify=auto" in said


def refusal(open_in_colour: Open, uri: str, **options: Any) -> str:
    """What is said of a host key that is refused."""
    with nothing_left():
        try:
            open_in_colour(uri, **options).__enter__()
        except HostKeyError as error:
            return str(error)
        raise AssertionError("it was not refused")


def fingerprint(host: SshHost) -> str:
    command = ["ssh-keygen", "-l", "-f", str(host.folder / "host.pub")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return shown.split()[1]


def test_an_unknown_host_key_is_asked_about_and_remembered(
    host: SshHost, open_in_colour: Open, home: Path
) -> None:
    uri = host.uri(URI, "libssh", known_hosts=None)
    asked: list[tuple[str, str, str, str]] = []

    def answer(text: str) -> Callable[..., list[str]]:
        def answers(requests: list[virtproto.CredentialRequest]) -> list[str]:
            asked.extend(
                (each.kind.name, each.prompt, each.service, each.host) for each in requests
            )
            return [text for _ in requests]

        return answers

    with nothing_left(), pytest.raises(HostKeyError, match="was not accepted"):
        open_in_colour(uri, credentials=answer("n")).__enter__()
    with open_in_colour(uri, credentials=answer("y")) as connection:
        assert names(connection) == ["test"]
    with open_in_colour(uri) as connection:
        assert names(connection) == ["test"]
    assert len(asked) == 2
    kind, prompt, service, name = asked[0]
    assert (kind, service, name) == ("ECHOPROMPT", "ssh", "127.0.0.1")
    assert fingerprint(host) in prompt
    file = home / ".config/libvirt/known_hosts"
    assert file.read_text() == f"[127.0.0.1]:{host.port} {host.host_key}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_unknown_host_key_is_added_where_the_uri_says_so(
    host: SshHost, open_in_colour: Open, tmp_path: Path
) -> None:
    file = tmp_path / "known"
    file.write_text(f"elsewhere {host.host_key}")
    uri = host.uri(URI, "libssh", known_hosts=str(file), known_hosts_verify="auto")
    with open_in_colour(uri) as connection:
        assert names(connection) == ["test"]
    key = host.host_key
    assert file.read_text() == f"elsewhere {key}\n[127.0.0.1]:{host.port} {key}\n"


@pytest.mark.parametrize("verify", ["normal", "auto"])
def test_a_changed_host_key_is_refused_whoever_is_asked(
    host: SshHost, open_in_colour: Open, tmp_path: Path, verify: str
) -> None:
    make_key(tmp_path / "other")
    known = f"[127.0.0.1]:{host.port} {(tmp_path / 'other.pub').read_text()}"
    (tmp_path / "known").write_text(known)
    uri = host.uri(URI, "libssh", known_hosts=str(tmp_path / "known"), known_hosts_verify=verify)
    said = refusal(open_in_colour, uri, credentials=lambda requests: ["y" for _ in requests])
    assert f"ssh-keygen -f {tmp_path / 'known'} -R '[127.0.0.1]:{host.port}'" in said
    assert (tmp_path / "known").read_text() == known
    with open_in_colour(uri.replace(f"verify={verify}", "verify=ignore")) as connection:
        assert names(connection) == ["test"]


def test_a_known_key_of_another_kind_is_told(
    host: SshHost, open_in_colour: Open, tmp_path: Path
) -> None:
    make_key(tmp_path / "other", "ecdsa")
    public = (tmp_path / "other.pub").read_text()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{host.port} {public}")
    uri = host.uri(URI, "libssh", known_hosts=str(tmp_path / "known"))
    assert "is not the one that" in refusal(open_in_colour, uri)


@pytest.mark.parametrize("transport", BOTH)
def test_events_and_long_texts_come_by_ssh(
    host: SshHost, open_in_colour: Open, transport: str
) -> None:
    with open_in_colour(host.uri(URI, transport)) as connection:
        seen: list[int] = []
        connection.domain_event_register_any(None, 0, lambda *said: seen.append(said[2]))
        domain = connection.get_domain_by_name("test")
        domain.suspend()
        domain.resume()
        until(connection, lambda: len(seen) == 2)
        assert seen == [DomainEventType.SUSPENDED, DomainEventType.RESUMED]
        text = "x" * 3_000_000
        domain.set_metadata(DomainMetadataType.DESCRIPTION, text)
        assert domain.get_metadata(DomainMetadataType.DESCRIPTION) == text
        domain.set_metadata(DomainMetadataType.DESCRIPTION, None)


@pytest.mark.parametrize("transport", BOTH)
def test_streams_go_both_ways_by_ssh(
    host: SshHost, libvirtd: PrivateDaemon, open_in_colour: Open, transport: str
) -> None:
    size = 8 << 20
    content = hashlib.shake_128(b"by ssh").digest(1 << 20) * 8
    with (
        open_in_colour(host.uri("qemu:///system", transport)) as connection,
        volume(connection, libvirtd.folder, size) as vol,
    ):
        with connection.new_stream() as stream:
            vol.upload(stream, 0, size)
            stream.send(content)
        with connection.new_stream() as stream:
            vol.download(stream, 0, size)
            came = hashlib.sha256()
            while piece := stream.recv(1 << 20):
                came.update(piece)
        assert came.digest() == hashlib.sha256(content).digest()


def test_ssh_that_dies_midway_is_told_with_its_last_words(
    host: SshHost, open_in_colour: Open
) -> None:
    before = children()

    def lose() -> None:
        with open_in_colour(host.uri(URI)) as connection:
            (ssh,) = children() - before
            os.kill(ssh, signal.SIGKILL)
            with pytest.raises(ConnectionLostError, match="ssh was ended by signal 9"):
                ask_on(connection)

    with nothing_left():
        lose()


@pytest.mark.parametrize("transport", BOTH)
def test_a_host_that_goes_midway_is_told(
    libvirtd: PrivateDaemon, open_in_colour: Open, transport: str
) -> None:
    def lose(host: SshHost) -> None:
        with open_in_colour(host.uri(URI, transport)) as connection:
            kill_sessions(host)
            with pytest.raises(ConnectionLostError, match=r"onnection .*(closed|lost|ended)"):
                ask_on(connection)

    with nothing_left(), SshHost(libvirtd) as host:
        lose(host)


def kill_sessions(host: SshHost) -> None:
    """Kill the server's processes that have a client."""
    assert host._server is not None
    own = Path(f"/proc/{host._server.pid}/task/{host._server.pid}/children").read_text()
    for pid in own.split():
        os.kill(int(pid), signal.SIGKILL)


def test_a_thread_serves_several_and_ends_with_the_last(
    host: SshHost, open_in_colour: Open
) -> None:
    def use_two() -> None:
        with (
            open_in_colour(host.uri(URI, "libssh")) as one,
            open_in_colour(host.uri(URI, "libssh")) as other,
        ):
            assert names(one) == names(other)
            count = [thread.name for thread in threading.enumerate()].count("virtproto ssh")
            assert count <= 1

    with nothing_left():
        for _ in range(2):
            use_two()


def test_what_is_not_libvirt_at_all_is_told(open_in_colour: Open, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho no way from here >&2\nexit 7\n")
    with pytest.raises(ConnectError, match="cannot run"):
        open_in_colour(f"test+ext:///default?command={program}").__enter__()
    program.chmod(0o755)
    with nothing_left(), pytest.raises(ConnectError, match="no way from here"):
        open_in_colour(f"test+ext:///default?command={program}").__enter__()


def test_an_external_program_carries_the_bytes(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec nc -U {libvirtd.socket_path}\n")
    program.chmod(0o755)
    with nothing_left():
        assert visit(open_in_colour, f"test+ext:///default?command={program}") == (["test"], False)
