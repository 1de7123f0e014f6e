"""Connections over a socket that the caller connected himself, in both colours."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.colours.driving import COLOURS, Open, until
from tests.colours.losing import FAST
from tests.colours.tcp_front import tcp_front
from virtproto import aio
from virtproto.errors import (
    ArgumentTypeError,
    ConnectionLostError,
    DeadlineError,
    TLSError,
    URIError,
    UsageError,
)
from virtproto.testing import CloseConnection, NoReply, ScriptedServer
from virtproto.wire import remote

URI = "test:///default"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A daemon with a name."""
    handlers: dict[Any, Any] = {
        remote.CONNECT_GET_HOSTNAME: remote.ConnectGetHostnameRet(hostname="h"),
        remote.CONNECT_IS_SECURE: remote.ConnectIsSecureRet(secure=1),
    }
    with ScriptedServer(handlers) as server:
        yield server


def is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def test_a_socket_is_the_connections(server: ScriptedServer, open_in_colour: Open) -> None:
    sock = server.connect()
    sock.settimeout(0.01)
    fd = sock.fileno()
    with open_in_colour(URI, sock=sock) as connection:
        assert connection.get_hostname() == "h"
        assert connection.get_uri() == URI
        assert sock.fileno() == -1
        assert connection.is_secure()
        assert not connection.is_encrypted()
        assert not is_closed(fd)
    server.wait_until(lambda seen: seen.connections_ended == 1)
    assert is_closed(fd)


def test_what_does_not_stay_on_the_machine_is_not_secure(
    server: ScriptedServer, open_in_colour: Open, tmp_path: Path
) -> None:
    with tcp_front(server.listen(tmp_path / "s")) as port:
        sock = socket.create_connection(("127.0.0.1", port))
        with open_in_colour("test+tcp://elsewhere/default", sock=sock) as connection:
            assert connection.get_hostname() == "h"
            assert not connection.is_secure()
            nodelay = connection._channel._road.sock.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            assert nodelay
            with pytest.raises(UsageError, match="goes over TCP"):
                connection.create_domain_with_files("<domain/>", [0])


def test_a_function_gives_sockets_for_lasting_connections(
    server: ScriptedServer, open_in_colour: Open
) -> None:
    given: list[int] = []

    def give() -> socket.socket:
        sock = server.connect()
        given.append(sock.fileno())
        return sock

    with open_in_colour(URI, sock=give, reconnect=FAST) as connection:
        assert connection.get_hostname() == "h"
        server.send(CloseConnection())
        until(connection, lambda: connection.state == "open" and len(given) == 2)
        assert connection.get_hostname() == "h"


def test_a_coroutine_function_gives_one_in_asyncio(server: ScriptedServer) -> None:
    async def give() -> socket.socket:
        return server.connect()

    async def ask() -> str:
        async with aio.open(URI, sock=give) as connection:
            return await connection.get_hostname()

    assert asyncio.run(ask()) == "h"


def test_a_coroutine_function_that_brings_none_costs_the_time_limit() -> None:
    async def give() -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    async def give_up() -> None:
        with pytest.raises(DeadlineError, match=r"^sock: the function .* within 0\.05 s"):
            await aio.open(URI, sock=give, timeout_s=0.05)

    asyncio.run(give_up())


def test_a_blocking_connection_waits_for_no_coroutine(server: ScriptedServer) -> None:
    async def give() -> socket.socket:
        raise AssertionError

    with pytest.raises(UsageError, match="sock: a coroutine function"):
        refused(COLOURS["sync"], URI, sock=give)


def unconnected(kind: int) -> socket.socket:
    return socket.socket(socket.AF_UNIX, kind)


def closed() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.close()
    return sock


@pytest.mark.parametrize("given", ["itself", "by a function"])
@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: unconnected(socket.SOCK_STREAM), UsageError, "not connected"),
        (lambda: unconnected(socket.SOCK_DGRAM), UsageError, "stream socket"),
        (closed, UsageError, "closed"),
        (lambda: 5, ArgumentTypeError, "not int"),
        (lambda: "path", ArgumentTypeError, "not str"),
    ],
)
def test_what_is_no_connected_stream_socket_is_refused(
    open_in_colour: Open, make: object, kind: type[Exception], words: str, given: str
) -> None:
    assert callable(make)
    sock = make()
    try:
        with pytest.raises(kind, match=f"sock: .*{words}"):
            refused(open_in_colour, URI, sock=sock if given == "itself" else lambda: sock)
    finally:
        if isinstance(sock, socket.socket):
            sock.close()


def refused(open_in_colour: Open, uri: str, **options: object) -> None:
    with open_in_colour(uri, **options):
        pass


def test_a_socket_that_speaks_tls_already_is_refused(open_in_colour: Open) -> None:
    near, far = socket.socketpair()
    context = ssl.create_default_context()
    with context.wrap_socket(near, server_hostname="h", do_handshake_on_connect=False) as wrapped:
        with pytest.raises(UsageError, match=r"sock: .*\+tls"):
            refused(open_in_colour, URI, sock=wrapped)
        assert wrapped.fileno() >= 0
    far.close()


def test_one_socket_is_not_enough_for_a_lasting_connection(open_in_colour: Open) -> None:
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(UsageError, match=r"sock: .*reconnect"):
            refused(open_in_colour, URI, sock=near, reconnect=True)
        assert near.fileno() >= 0


@pytest.mark.parametrize("transport", ["ssh", "libssh", "libssh2", "ext"])
def test_roads_that_are_no_socket_take_none(open_in_colour: Open, transport: str) -> None:
    near, far = socket.socketpair()
    fd = near.fileno()
    with far, pytest.raises(UsageError, match=f"sock: .*{transport}"):
        refused(open_in_colour, f"test+{transport}://host/default?command=/bin/cat", sock=near)
    assert is_closed(fd)


def test_it_is_closed_when_opening_fails(server: ScriptedServer, open_in_colour: Open) -> None:
    near, far = socket.socketpair()
    fd = near.fileno()
    with far, pytest.raises(URIError):
        refused(open_in_colour, "test:///default?socket=", sock=near)
    assert is_closed(fd)
    server.handle(remote.AUTH_LIST, CloseConnection())
    sock = server.connect()
    fd = sock.fileno()
    with pytest.raises(ConnectionLostError):
        refused(open_in_colour, URI, sock=sock)
    assert is_closed(fd)
    server.handle(remote.AUTH_LIST, NoReply())
    with pytest.raises(DeadlineError, match="behind the socket that was given does not answer"):
        refused(open_in_colour, URI, sock=server.connect(), timeout_s=0.05)


def test_tls_is_spoken_over_it(open_in_colour: Open) -> None:
    near, far = socket.socketpair()
    with far:
        with pytest.raises(TLSError):
            refused(open_in_colour, "test+tls://host/default", sock=near, timeout_s=0.05)
        assert near.fileno() == -1
