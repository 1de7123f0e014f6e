"""What large and special traffic a traced connection tells, in both colours, and that it passes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.colours.driving import OVER_ROADS, Open, until
from tests.colours.streaming import END, UPLOAD, opened, sent_to
from tests.colours.test_layer import add_layer
from tests.colours.toy_layer import ToyLayer, front
from tests.colours.tracing import Kept
from virtproto.errors import DeadlineError
from virtproto.protocol.events import CallReceived
from virtproto.testing import Faults, ReplyWithFds, ScriptedServer, SendStreamData
from virtproto.testing.actions import Answer
from virtproto.trace import message as kinds
from virtproto.transport.road import Road
from virtproto.wire import remote
from virtproto.wire.qemu import DOMAIN_MONITOR_COMMAND_WITH_FILES as WITH_FILES

NAME = remote.CONNECT_GET_HOSTNAME
HOST = remote.ConnectGetHostnameRet(hostname="h")


def test_streams_are_told_whole(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    kept = Kept()
    pieces = [bytes([n]) * (n * 9771) for n in range(1, 20)]
    sent = b"".join(pieces)
    with open_in_colour(uri, trace=kept) as connection:
        down = opened(server, connection, *map(SendStreamData, pieces), *END)
        assert down.read() == sent
        down.finish()
        up = opened(server, connection, procedure=UPLOAD)
        rest = memoryview(sent)
        while rest:
            rest = rest[up.send(rest) :]
            # Nobody reads meanwhile.
            until(connection, lambda: kept[-1].kind is kinds.DATA)
        up.finish()
        assert sent_to(server) == sent
    for end in (True, False):
        data = [each for each in kept if each.kind is kinds.DATA and each.from_client is end]
        assert b"".join(each.packet.payload for each in data) == sent
        assert all(each.call is not None for each in data)
    assert [each.kind for each in kept].count(kinds.FINISH) == 4
    kept.sound()


def test_what_comes_in_single_bytes_is_told_in_messages(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    kept = Kept()
    server.faults = Faults(split=1)
    with open_in_colour(uri, trace=kept) as connection:
        assert connection.get_library_version() == 12008000
    assert len(kept) == 10
    kept.sound()


def test_descriptors_travel_as_ever(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    kept = Kept()

    def returned(call: CallReceived) -> Answer:
        server.wait_until(lambda seen: len(seen.fds_received) == call.nfds)
        return ReplyWithFds(call.payload, server.fds_received[::-1])

    server.handle(WITH_FILES, returned)
    server.handle(NAME, HOST)
    pipes = [os.pipe() for _ in range(2)]
    try:
        with open_in_colour(uri, trace=kept) as connection:
            connection.get_hostname()
            fds = [reader for reader, _ in pipes]
            payload, came = connection._exchange_with_fds(WITH_FILES, b"four", fds)
            assert payload == b"four"
            for fd, (_, writer) in zip(came, reversed(pipes), strict=True):
                os.write(writer, b"x")
                assert os.read(fd, 2) == b"x"
                os.close(fd)
            connection.get_hostname()
    finally:
        for fd in (fd for pipe in pipes for fd in pipe):
            os.close(fd)
    assert [each.packet.nfds for each in kept if each.procedure == WITH_FILES.name] == [2, 2]
    kept.sound()


def test_what_a_layer_protects_is_told_in_the_clear(colour: str, server: ScriptedServer) -> None:
    """The layer begins midway, as SASL's do."""
    kept = Kept()
    server.handle(NAME, HOST)
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as stack:
        road = Road(ours, "a toy", carries_descriptors=False)
        road.tracer = kept
        relay = stack.enter_context(_opening_later(server.connect(), theirs))
        connection = stack.enter_context(OVER_ROADS[colour](road))
        assert connection.get_hostname() == "h"
        relay()
        add_layer(connection, ToyLayer())
        assert connection.get_hostname() == "h"
        assert connection.get_library_version() == 12008000
    assert kept.names()[:3] == [NAME.name, NAME.name, "CONNECT_GET_LIB_VERSION"]
    kept.sound()


@contextlib.contextmanager
def _opening_later(server: socket.socket, theirs: socket.socket) -> Iterator[Any]:
    """What passes one call on as it is, and then, once it is called, all through a layer."""
    with contextlib.ExitStack() as stack:

        def plain() -> None:
            server.sendall(theirs.recv(65536))
            theirs.sendall(server.recv(65536))

        first = threading.Thread(target=plain)
        first.start()

        def switch() -> None:
            first.join()
            stack.enter_context(front(server, theirs))

        yield switch


def test_a_call_that_is_taken_back_is_not_told(colour: str, server: ScriptedServer) -> None:
    """The peer reads nothing: of calls that are given up some never leave."""
    kept = Kept()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    road = Road(ours, "a crowd", carries_descriptors=False)
    road.tracer = kept
    server.handle(remote.DOMAIN_GET_XML_DESC, lambda call: call.payload)
    with OVER_ROADS[colour](road) as connection:
        for _ in range(3):
            with pytest.raises(DeadlineError):
                connection.call_packed(remote.DOMAIN_GET_XML_DESC, bytes(500_000), timeout_s=0.05)
        with front_as_it_is(server.connect(), theirs):
            small = connection.call_packed(remote.DOMAIN_GET_XML_DESC, b"now!", timeout_s=10)
            assert small == b"now!"
    sizes = [len(each.packet.payload) for each in kept if each.procedure == "DOMAIN_GET_XML_DESC"]
    received = [len(call.payload) for call in server.calls if call.procedure == 14]
    assert sorted(sizes) == sorted(received * 2)
    kept.sound()


@contextlib.contextmanager
def front_as_it_is(server: socket.socket, theirs: socket.socket) -> Iterator[None]:
    """What passes all on both ways, until an end is closed."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    threads = [
        threading.Thread(target=carry, args=ends) for ends in ((server, theirs), (theirs, server))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for end in (server, theirs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        server.close()
        theirs.close()
