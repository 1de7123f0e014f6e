"""Clients are led to where a URI leads, or sent away with a reason."""

from __future__ import annotations

import os
import queue
import socket
from pathlib import Path

import pytest

from tests.proxy.running import LIMIT_S, RunningCarriage, receive
from virtproto.errors import URIError
from virtproto.proxy.reaching import Destination


def uri(path: Path) -> str:
    return f"qemu+unix:///system?socket={path}"


def test_a_uri_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(URIError):
        Destination("qemu+nowhere:///system")


def test_a_client_is_led_there(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, RunningCarriage() as running:
        server.bind(str(tmp_path / "daemon"))
        server.listen()
        destination = Destination(uri(tmp_path / "daemon"))
        assert destination.name == str(tmp_path / "daemon")
        client, near = socket.socketpair()
        running.inside(lambda: destination.lead(running.carriage, near, {"client": "me"}))
        daemon, _ = server.accept()
        with client, daemon:
            client.sendall(b"hello")
            assert receive(daemon, 5) == b"hello"


def test_a_client_is_sent_away_where_nobody_is(tmp_path: Path) -> None:
    said: queue.Queue[str] = queue.Queue()
    with RunningCarriage() as running:
        destination = Destination(uri(tmp_path / "nobody"))
        client, near = socket.socketpair()
        with client:
            running.inside(
                lambda: destination.lead(running.carriage, near, {"client": "me"}, said.put)
            )
            assert "cannot be reached" in said.get(timeout=LIMIT_S)
            assert receive(client, 1) == b""
    assert str(tmp_path / "nobody") in running.notes()[0]
    assert running.ends() == [True, False]


def test_clients_who_still_wait_are_sent_away_at_the_end() -> None:
    # Nobody answers there: what is waited for is TLS's first word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = len(os.listdir("/proc/self/fd"))
        with RunningCarriage() as running:
            port = silent.getsockname()[1]
            destination = Destination(f"qemu+tcp://127.0.0.1:{port}/system", timeout_s=1.0)
            client, near = socket.socketpair()
            running.inside(lambda: destination.lead(running.carriage, near, {}))
            running.inside(destination.close)
            assert receive(client, 1) == b""
            client.close()
        assert len(os.listdir("/proc/self/fd")) <= before + 1
