"""TLS on the way to a daemon, in both colours: what only its plumbing can get wrong."""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open
from tests.colours.streaming import END, UPLOAD, opened, sent_to
from tests.colours.toy_layer import front
from tests.lab.pki import Lab
from tests.transport.tls.peer import Peer
from virtproto.errors import CertificateError, DeadlineError, TLSError, UsageError
from virtproto.testing import ScriptedServer, SendStreamData
from virtproto.wire import remote

ECHO = remote.DOMAIN_GET_XML_DESC
SHORT_S = 0.1
PROMPT_S = 5.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Certificates."""
    return Lab(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A daemon with a name, which repeats what it is told."""
    handlers: dict[Any, Any] = {
        remote.CONNECT_GET_HOSTNAME: remote.ConnectGetHostnameRet(hostname="h"),
        remote.CONNECT_IS_SECURE: remote.ConnectIsSecureRet(secure=1),
        ECHO: lambda call: call.payload,
    }
    with ScriptedServer(handlers) as server:
        yield server


class TlsSocket:
    """A daemon's end of TLS on a socket, for one thread that reads."""

    def __init__(self, sock: socket.socket, folder: Path) -> None:
        self.sock = sock
        self._peer = Peer(folder)
        self._lock = threading.Lock()

    def recv(self, size: int) -> bytes:
        """Return what can be read, b"" at the end."""
        while data := self.sock.recv(size):
            with self._lock:
                self.sock.sendall(self._peer.hear(data))
                plain = self._read()
            if plain:
                return plain
        return b""

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._peer.session.read(65536):
                pieces.append(piece)
        except ssl.SSLError:
            pass
        return b"".join(pieces)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        with self._lock:
            self._peer.session.write(data)
            self.sock.sendall(self._peer.outgoing.read())

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


@pytest.fixture
def ours(server: ScriptedServer, lab: Lab) -> Iterator[socket.socket]:
    """A socket behind which TLS is spoken, and a daemon listens."""
    make = functools.partial(TlsSocket, folder=lab.folder / "server")
    with front(server.connect(), make=make) as (ours, _):
        yield ours


def uri(lab: Lab, where: str = "localhost", client: str = "good") -> str:
    return f"test+tls://{where}/default?pkipath={lab.client(client)}"


def test_all_travels_by_tls(
    server: ScriptedServer, ours: socket.socket, open_in_colour: Open, lab: Lab
) -> None:
    with open_in_colour(uri(lab), sock=ours) as connection:
        assert connection.is_secure()
        assert connection.is_encrypted()
        for size in (4, 16384, 16385, 1_000_000, 4_000_000):
            packed = os.urandom(size)
            assert connection.call_packed(ECHO, packed) == packed
        pieces = [os.urandom(200_000) for _ in range(10)]
        down = opened(server, connection, *map(SendStreamData, pieces), *END)
        assert down.read() == b"".join(pieces)
        down.finish()
        up = opened(server, connection, procedure=UPLOAD)
        for piece in pieces:
            rest = piece
            while rest:
                rest = rest[up.send(rest) :]
        up.finish()
        assert sent_to(server) == b"".join(pieces)
        with pytest.raises(UsageError, match="goes over TLS"):
            connection.create_domain_with_files("<domain/>", [0])


def open_and_close(open_in_colour: Open, uri: str, **options: Any) -> None:
    with open_in_colour(uri, **options):
        pass


def test_the_uris_host_is_who_it_has_to_be(
    ours: socket.socket, open_in_colour: Open, lab: Lab
) -> None:
    with pytest.raises(CertificateError, match=r"other\.example"):
        open_and_close(open_in_colour, uri(lab, "other.example"), sock=ours)
    assert ours.fileno() == -1


def test_a_peer_that_says_nothing_costs_the_time_limit(open_in_colour: Open, lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(DeadlineError, match=rf"127\.0\.0\.1:{port} .* within 0\.1 s"):
            open_and_close(open_in_colour, uri(lab, f"127.0.0.1:{port}"), timeout_s=SHORT_S)
        assert SHORT_S <= time.monotonic() - started < PROMPT_S


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_peer_that_speaks_no_tls_is_found_out(
    open_in_colour: Open, lab: Lab, said: bytes
) -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(said)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(TLSError):
            open_and_close(open_in_colour, uri(lab), sock=near)


def test_what_is_wrong_on_this_side_is_told_before_anybody_is_asked(
    open_in_colour: Open, tmp_path: Path
) -> None:
    with pytest.raises(CertificateError, match=r"cacert\.pem"):
        open_and_close(open_in_colour, f"test+tls://192.0.2.1/default?pkipath={tmp_path}")


def test_many_threads_share_it(server: ScriptedServer, ours: socket.socket, lab: Lab) -> None:
    failed: list[object] = []
    with virtproto.open(uri(lab), sock=ours) as connection:

        def work(number: int) -> None:
            try:
                for turn in range(25):
                    data = bytes([number]) * (turn * number * 997 % 70_000)
                    assert connection.call_packed(ECHO, data, timeout_s=30) == data
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failed == []
