"""Where clients may come to, and what stays of it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from virtproto.errors import UsageError
from virtproto.proxy.listening import Listener, peer_of


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_path_is_its_owners_alone_and_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    with Listener(str(path)) as listener:
        assert listener.address == str(path)
        assert mode_of(path) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()
    listener.close()


def test_a_path_may_be_others_too(tmp_path: Path) -> None:
    with Listener(str(tmp_path / "proxy"), mode=0o666):
        assert mode_of(tmp_path / "proxy") == 0o666


def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "proxy")
    with Listener(path), pytest.raises(UsageError, match=r"somebody listens on .*proxy already"):
        Listener(path)
    assert not os.path.exists(path)


def test_what_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    with Listener(str(path)):
        pass
    assert not path.exists()


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    path.write_text("precious")
    with pytest.raises(UsageError, match="is there already, and is no socket"):
        Listener(str(path))
    assert path.read_text() == "precious"


def test_what_others_put_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    with Listener(str(path)):
        path.unlink()
        path.write_text("precious")
    assert path.read_text() == "precious"


def test_an_abstract_name_has_no_file(tmp_path: Path) -> None:
    name = f"@virtproto-{os.getpid()}"
    with Listener(name) as listener:
        assert listener.address == name
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + name[1:])
        with pytest.raises(UsageError, match="somebody listens"):
            Listener(name)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_port_of_the_loopback_device(host: str) -> None:
    try:
        listener = Listener(f"tcp:{host}:0")
    except UsageError:
        if host != "[::1]":
            raise
        pytest.skip("this machine has no IPv6")
    with listener:
        where, _, port = listener.address.removeprefix("tcp:").rpartition(":")
        with socket.create_connection((where.strip("[]"), int(port))):
            pass


def test_other_machines_come_only_when_that_is_said() -> None:
    with pytest.raises(UsageError, match="can be reached from other machines"):
        Listener("tcp:0.0.0.0:0")
    with Listener("tcp:0.0.0.0:0", to_all=True):
        pass


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "a path, @NAME or tcp:HOST:PORT is wanted"),
        ("/" + "x" * 120, "longer than the 107 bytes"),
        ("/no/such/folder/proxy", "No such file or directory"),
        ("tcp:1234", "tcp:HOST:PORT is wanted"),
        ("tcp:127.0.0.1:http", "tcp:HOST:PORT is wanted"),
        ("tcp:127.0.0.1:65536", "tcp:HOST:PORT is wanted"),
        ("tcp:host.invalid:1", "has no address"),
    ],
)
def test_an_address_that_is_none_is_told(address: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Listener(address)


def test_a_client_is_known_by_its_process() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert peer_of(near)["pid"] == os.getpid()
