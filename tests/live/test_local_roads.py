"""Roads that do not leave the machine: which socket a URI means, and what is said of a bad one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import NOBODY, PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.relay import TcpRelay
from tests.live.visiting import visit

pytestmark = pytest.mark.lab

ROOT = 0
URI = "test:///default"
QEMU = "qemu:///system"
OWN_URI = "connection.get_uri()"
MARK = {
    "one": "11111111-1111-4111-8111-111111111111",
    "another": "22222222-2222-4222-8222-222222222222",
}
# Which daemon it is: it says so in its host's description.
WHICH = "connection.get_capabilities().partition('<uuid>')[2][:36]"


@pytest.fixture(scope="module")
def session() -> Iterator[PrivateDaemon]:
    """A session daemon of the user NOBODY."""
    with private_daemon("9.0.0", as_nobody=True) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def modular() -> Iterator[PrivateDaemon]:
    """A daemon beside whose sockets are those that a virtqemud would have, of another daemon."""
    with (
        private_daemon("9.0.0", host_uuid=MARK["another"]) as another,
        private_daemon("9.0.0", host_uuid=MARK["one"]) as one,
    ):
        for suffix in ("sock", "sock-ro"):
            socket = one.folder / "run" / f"virtqemud-{suffix}"
            socket.symlink_to(another.folder / "run" / f"libvirt-{suffix}")
        yield one


@pytest.fixture(scope="module")
def closed() -> Iterator[PrivateDaemon]:
    """A daemon whose socket is for root alone, but not the one for those who only watch."""
    with private_daemon("9.0.0", unix_sock_rw_perms="0700", unix_sock_ro_perms="0777") as daemon:
        yield daemon


def session_environment(daemon: PrivateDaemon) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(daemon.folder / "run")}


def test_the_systems_daemon(libvirtd: PrivateDaemon) -> None:
    safe = "[connection.get_uri(), connection.is_secure(), connection.is_encrypted()]"
    assert visit(ROOT, QEMU, safe, beside=libvirtd).answer == [QEMU, True, False]
    assert visit(NOBODY, QEMU, OWN_URI, beside=libvirtd).answer == QEMU
    assert visit(ROOT, URI, OWN_URI, beside=libvirtd).answer == URI


def test_no_uri_means_the_daemon_that_is_there(libvirtd: PrivateDaemon) -> None:
    assert visit(ROOT, None, OWN_URI, beside=libvirtd).answer == QEMU
    named = {"LIBVIRT_DEFAULT_URI": URI}
    assert visit(ROOT, None, OWN_URI, environment=named, beside=libvirtd).answer == URI


def test_who_only_watches_needs_the_other_socket_only(closed: PrivateDaemon) -> None:
    told = visit(NOBODY, URI, OWN_URI, beside=closed)
    assert told.kind == "SocketPermissionError"
    assert "/var/run/libvirt/libvirt-sock" in told.text
    assert visit(NOBODY, URI, OWN_URI, readonly=True, beside=closed).answer == URI


def test_ones_own_daemon(session: PrivateDaemon) -> None:
    environment = session_environment(session)
    for uri in ("test+unix:///default", "qemu:///session"):
        assert visit(NOBODY, uri, OWN_URI, environment=environment).answer == uri


def test_ones_own_daemon_has_no_socket_for_those_who_only_watch(session: PrivateDaemon) -> None:
    told = visit(
        NOBODY, "test+unix:///default", readonly=True, environment=session_environment(session)
    )
    assert told.answer


@pytest.mark.parametrize(
    ("uri", "which"),
    [
        (QEMU, "another"),
        (f"{QEMU}?mode=auto", "another"),
        (f"{QEMU}?mode=direct", "another"),
        (f"{QEMU}?mode=legacy", "one"),
        ("network:///system", "one"),
    ],
)
@pytest.mark.parametrize("readonly", [False, True])
def test_a_daemon_of_one_driver(
    modular: PrivateDaemon, uri: str, which: str, readonly: bool
) -> None:
    question = "connection.get_uri()" if uri.startswith("network") else WHICH
    told = visit(ROOT, uri, question, readonly=readonly, beside=modular)
    assert told.answer == (uri if uri.startswith("network") else MARK[which]), told.text


def test_a_daemon_of_one_driver_that_is_not_there(libvirtd: PrivateDaemon) -> None:
    told = visit(ROOT, f"{QEMU}?mode=direct", beside=libvirtd)
    assert told.kind == "SocketMissingError"
    assert "/var/run/libvirt/virtqemud-sock" in told.text


def test_a_mode_that_there_is_not(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with pytest.raises(virtproto.URIError, match="mode"), open_in_colour(f"{QEMU}?mode=odd"):
        pass


@pytest.mark.parametrize("name", ["with space", "ünï", "100%&=?#"])
def test_a_socket_of_any_name(
    libvirtd: PrivateDaemon, open_in_colour: Open, tmp_path: Path, name: str
) -> None:
    socket = tmp_path / name
    socket.symlink_to(libvirtd.socket_path)
    with open_in_colour(f"test+unix:///default?socket={quote(str(socket))}") as connection:
        assert connection.get_domain_by_name("test").is_active()
        assert connection.is_secure()
        assert not connection.is_encrypted()


def test_a_socket_without_a_file(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with TcpRelay(libvirtd.socket_path, abstract=True) as relay:
        uri = f"test+unix:///default?socket={relay.socket_path}"
        with open_in_colour(uri) as connection:
            assert connection.get_domain_by_name("test").is_active()


def test_nothing_forbidden_nobody(open_in_colour: Open, closed: PrivateDaemon) -> None:
    """Three ways not to get through a door are told apart."""
    uri = closed.uri(URI)
    assert visit(NOBODY, uri).kind == "SocketPermissionError"
    with (
        pytest.raises(virtproto.SocketMissingError, match=r"run/nowhere\.sock"),
        open_in_colour(uri.replace("libvirt-sock", "nowhere.sock")),
    ):
        pass
    with private_daemon("9.0.0") as killed:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait_for_its_end()
        with (
            pytest.raises(virtproto.SocketRefusedError, match="libvirt-sock"),
            open_in_colour(killed.uri(URI)),
        ):
            pass
