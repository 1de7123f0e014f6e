"""A layer between the socket and the packets, in both colours: all that travels passes through."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import OVER_ROADS, until
from tests.colours.streaming import END, UPLOAD, opened, sent_to
from tests.colours.test_keepalive import hanging, pings
from tests.colours.toy_layer import ToyLayer, ToySocket, carried, front
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    ProtocolError,
    UsageError,
)
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer, SendStreamData
from virtproto.transport.road import Road
from virtproto.wire import remote

NAME = remote.CONNECT_GET_HOSTNAME


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A daemon that knows a name."""
    with ScriptedServer({NAME: remote.ConnectGetHostnameRet(hostname="h")}) as server:
        yield server


@pytest.fixture
def toy(server: ScriptedServer) -> Iterator[tuple[socket.socket, ToySocket]]:
    """A toy in front of the daemon."""
    with front(server.connect()) as ends:
        yield ends


def along(colour: str, sock: socket.socket) -> AbstractContextManager[virtproto.Connection]:
    """Return a connection over a toy."""
    road = Road(sock, "a toy", layer=ToyLayer(), carries_descriptors=False, is_secure=False)
    return OVER_ROADS[colour](road)


def ask_on(connection: virtproto.Connection) -> None:
    """Ask until there is an error."""
    while connection.get_hostname() == "h":
        pass


def add_layer(connection: Any, layer: ToyLayer) -> None:
    """Add a layer to a connection's channel, in its loop if it has one."""
    channel = connection._channel
    runner = getattr(connection, "_runner", None)
    if runner is None:
        channel.add_layer(layer)
        return

    async def add() -> None:
        channel.add_layer(layer)

    runner.run(add())


@pytest.fixture
def connection(colour: str, toy: tuple[socket.socket, ToySocket]) -> Iterator[virtproto.Connection]:
    """A connection over the toy."""
    with along(colour, toy[0]) as connection:
        yield connection


def test_calls_pass_in_every_size(
    server: ScriptedServer,
    connection: virtproto.Connection,
    toy: tuple[socket.socket, ToySocket],
) -> None:
    def answer(call: CallReceived) -> bytes:
        return call.payload

    server.handle(remote.DOMAIN_GET_XML_DESC, answer)
    for size in (0, 1, 3, 4, 4095, 4096, 65536, 300_000, 3_000_000):
        packed = bytes(range(256)) * (size // 256 + 1)
        got = connection.call_packed(remote.DOMAIN_GET_XML_DESC, packed[:size])
        assert got == packed[:size]
    # Each asked the other, and was answered, in between.
    assert toy[1].layer.answered > 10
    assert toy[1].layer.asked > 10


def test_a_call_that_is_not_taken_is_late_and_the_next_is_well(
    server: ScriptedServer, colour: str
) -> None:
    """The peer reads nothing for a while: the buffers are full, of packets begun and not begun."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    large = bytes(range(256)) * 2000
    server.handle(remote.DOMAIN_GET_XML_DESC, lambda call: call.payload)
    with along(colour, ours) as connection:
        for _ in range(3):
            with pytest.raises(DeadlineError):
                connection.call_packed(remote.DOMAIN_GET_XML_DESC, large, timeout_s=0.05)
        with front(server.connect(), theirs):
            small = connection.call_packed(remote.DOMAIN_GET_XML_DESC, b"now!", timeout_s=10)
            assert small == b"now!"
            assert connection.get_hostname() == "h"
    sent = [call.payload for call in server.calls if call.procedure == 14]
    assert sent[-1] == b"now!"
    assert set(sent[:-1]) <= {large}


def test_streams_pass_both_ways(server: ScriptedServer, connection: virtproto.Connection) -> None:
    pieces = [bytes([n % 251]) * (n * 977 % 200_000) for n in range(1, 40)]
    sent = b"".join(pieces)
    down = opened(server, connection, *map(SendStreamData, pieces), *END)
    assert down.read() == sent
    down.finish()
    up = opened(server, connection, procedure=UPLOAD)
    rest = sent
    while rest:
        rest = rest[up.send(rest) :]
    up.finish()
    assert sent_to(server) == sent
    assert connection.get_hostname() == "h"


def test_a_silent_daemon_is_given_up_and_a_living_one_is_not(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    reasons: list[int] = []
    connection._opened.keepalive = True
    connection._opened.close_callbacks = False
    connection.register_close_callback(lambda conn, reason: reasons.append(reason))
    connection.set_keep_alive(0.05, 5)
    until(connection, lambda: pings(server) >= 3)
    assert reasons == []
    with hanging(server):
        until(connection, lambda: reasons)
    assert reasons == [2]


@pytest.mark.parametrize("cut", [1, 3, 5, 9])
def test_an_end_within_a_record_is_told(
    toy: tuple[socket.socket, ToySocket], connection: virtproto.Connection, cut: int
) -> None:
    assert connection.get_hostname() == "h"
    record = toy[1].layer.wrap(b"0123456789")
    toy[1].sock.sendall(record[:cut])
    toy[1].sock.shutdown(socket.SHUT_WR)
    with pytest.raises((ConnectionLostError, ConnectionClosedError), match="cut short"):
        ask_on(connection)


def test_what_breaks_the_layer_ends_the_connection_and_is_told(
    toy: tuple[socket.socket, ToySocket], connection: virtproto.Connection
) -> None:
    assert connection.get_hostname() == "h"
    toy[1].sock.sendall(b"X\0\0\0")
    with pytest.raises((ConnectionLostError, ConnectionClosedError), match="the toy was broken"):
        ask_on(connection)
    assert not connection.is_alive()


def test_the_layers_own_end_is_one(
    toy: tuple[socket.socket, ToySocket], connection: virtproto.Connection
) -> None:
    assert connection.get_hostname() == "h"
    toy[1].sock.sendall(toy[1].layer.end())
    with pytest.raises((ConnectionLostError, ConnectionClosedError), match="daemon closed it"):
        ask_on(connection)


def test_a_layer_is_added_to_a_channel(
    server: ScriptedServer, colour: str, toy: tuple[socket.socket, ToySocket]
) -> None:
    """As after SASL: what was said before travelled plainly."""
    ours, theirs = socket.socketpair()
    plain = server.connect()
    with OVER_ROADS[colour](Road(ours, "a toy", is_secure=False)) as connection:
        channel: Any = connection._channel
        with carried(theirs, plain):
            assert connection.get_hostname() == "h"
        assert not channel._road.is_secure
        add_layer(connection, ToyLayer())
        with front(plain, theirs):
            assert connection.get_hostname() == "h"
            assert channel._road.is_secure
            assert channel._road.is_encrypted
            connection.close()


def test_what_came_before_a_layer_is_no_part_of_what_comes_through_it(
    server: ScriptedServer, colour: str
) -> None:
    """Else who meddles until then would say how the answer to the next call begins."""
    ours, theirs = socket.socketpair()
    plain = server.connect()

    def carry() -> None:
        plain.sendall(theirs.recv(65536))
        answer = plain.recv(65536)
        (serial,) = struct.unpack_from(">i", answer, 20)
        forged = remote.ConnectGetHostnameRet(hostname="forged").pack()
        head = struct.pack(">I", 28 + len(forged) + len(answer)) + answer[4:20]
        theirs.sendall(answer + head + struct.pack(">ii", serial + 1, 0) + forged)

    thread = threading.Thread(target=carry)
    with plain, theirs, OVER_ROADS[colour](Road(ours, "a toy", is_secure=False)) as connection:
        thread.start()
        assert connection.get_hostname() == "h"
        thread.join()
        with pytest.raises(ProtocolError, match="where what follows is to be protected"):
            add_layer(connection, ToyLayer())
        channel: Any = connection._channel
        assert not channel._road.is_secure
        theirs.close()


def test_answers_that_are_not_taken_end_the_connection(colour: str) -> None:
    """A peer that goes on asking and does not read would have them fill the memory."""
    ours, theirs = socket.socketpair()
    question = b"Q" + (60_000).to_bytes(3, "big") + bytes(60_000)

    def ask() -> None:
        with contextlib.suppress(OSError):
            for _ in range(1000):
                theirs.sendall(question)

    thread = threading.Thread(target=ask)
    with along(colour, ours) as connection:
        thread.start()
        with pytest.raises(ConnectionLostError, match="asks for answers that it does not take"):
            connection.call(NAME, None, timeout_s=10)
    thread.join()
    theirs.close()


def test_a_silent_peer_is_late_even_in_pieces(
    colour: str,
) -> None:
    """A record that comes byte by byte takes no more time than a call may."""
    ours, theirs = socket.socketpair()
    stop = threading.Event()
    record = ToyLayer().wrap(bytes(100_000))

    def drip() -> None:
        for at in range(len(record)):
            if stop.wait(0.01):
                return
            theirs.send(record[at : at + 1])

    thread = threading.Thread(target=drip)
    with along(colour, ours) as connection:
        thread.start()
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            connection.call(NAME, None, timeout_s=0.2)
        assert time.monotonic() - started < 5
        stop.set()
        thread.join()
        theirs.close()


def test_descriptors_do_not_travel_there(connection: virtproto.Connection, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file, pytest.raises(UsageError, match="a unix socket"):
        connection.create_domain_with_files("<domain/>", [file.fileno()])
