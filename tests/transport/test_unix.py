"""Unix sockets: reached, or a reason that says what to do."""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from virtproto.errors import (
    ConnectError,
    DeadlineError,
    SocketMissingError,
    SocketPermissionError,
    SocketRefusedError,
    URIError,
)
from virtproto.model.endpoint import UnixEndpoint
from virtproto.transport.unix import connect, connect_error, pack_timeout, socket_address


def listener(path: str | bytes, backlog: int = 5) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(backlog)
    return sock


def test_connect_reaches_a_listener(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listener(path) as server, closing(connect(UnixEndpoint(path), 5.0)) as sock:
        peer, _ = server.accept()
        with peer:
            sock.sendall(b"x")
            assert peer.recv(1) == b"x"
        # Blocking, and no limit left behind from the connecting.
        assert sock.gettimeout() is None
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16) == pack_timeout(None)


def test_connect_reaches_an_abstract_socket() -> None:
    name = f"virtproto-test-{os.getpid()}"
    # Filled up with NULs, as libvirt's daemons have it.
    address = (b"\0" + name.encode()).ljust(108, b"\0")
    with listener(address), closing(connect(UnixEndpoint("@" + name), 5.0)) as sock:
        assert sock.getpeername() == address


def test_a_path_may_hold_any_byte(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff"
    with listener(path), closing(connect(UnixEndpoint(os.fsdecode(path)), 5.0)):
        pass


def test_a_missing_socket_names_all_that_was_looked_for(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with pytest.raises(SocketMissingError) as caught:
        connect(UnixEndpoint(two, (one, two)), 5.0)
    assert two in str(caught.value)
    assert f"looked for {one} too" in str(caught.value)
    assert "start the daemon" in str(caught.value)
    with pytest.raises(SocketMissingError, match=r"start your daemon \(autostart=True"):
        connect(UnixEndpoint(one, daemon="/usr/sbin/libvirtd"), 5.0)


def test_a_folder_that_is_no_folder_is_a_missing_socket(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SocketMissingError):
        connect(UnixEndpoint(str(tmp_path / "file" / "s")), 5.0)


def test_a_missing_abstract_socket_is_missing() -> None:
    with pytest.raises(SocketMissingError):
        connect(UnixEndpoint("@virtproto-test-nobody"), 5.0)


def test_a_socket_nobody_listens_on_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    listener(path).close()
    with pytest.raises(SocketRefusedError) as caught:
        connect(UnixEndpoint(path), 5.0)
    assert path in str(caught.value)


def test_a_plain_file_or_folder_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    for path in (tmp_path / "s", tmp_path):
        with pytest.raises(SocketRefusedError, match="is no socket"):
            connect(UnixEndpoint(str(path)), 5.0)


def test_a_datagram_socket_is_of_another_kind(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        with pytest.raises(ConnectError, match="another kind"):
            connect(UnixEndpoint(path), 5.0)


def test_a_daemon_too_busy_to_accept_meets_the_deadline(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listener(path, 0), closing(connect(UnixEndpoint(path), 5.0)):
        start = time.monotonic()
        with pytest.raises(DeadlineError, match=r"within 0\.05 s"):
            connect(UnixEndpoint(path), 0.05)
        assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.EACCES, SocketPermissionError, "run as root"),
        (errno.EPERM, SocketPermissionError, "read-only"),
        (errno.ELOOP, ConnectError, "Too many levels"),
    ],
)
def test_other_reasons(number: int, kind: type[ConnectError], advice: str) -> None:
    # As root no permission is ever missing, so these are made, not met.
    error = connect_error(UnixEndpoint("/s"), OSError(number, os.strerror(number)), 5.0)
    assert type(error) is kind
    assert "/s" in str(error)
    assert advice in str(error)


def test_a_path_has_a_longest_length(tmp_path: Path) -> None:
    assert len(socket_address("/" + "x" * 106)) == 107
    with pytest.raises(URIError, match="108 bytes"):
        socket_address("/" + "x" * 107)
    with pytest.raises(URIError, match="108 bytes"):
        socket_address("/" + "é" * 53 + "x")


def test_no_time_left_is_not_no_limit() -> None:
    assert pack_timeout(0.0) == pack_timeout(0.000001) != pack_timeout(None)
    assert pack_timeout(-1.0) == pack_timeout(0.000001)
    assert pack_timeout(float("inf")) != pack_timeout(None)
