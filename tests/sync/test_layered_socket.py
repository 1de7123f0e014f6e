"""A layer between a blocking socket and the packets: many threads, and signals anywhere."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.colours import toy_layer
from tests.colours.driving import until
from tests.colours.toy_layer import ToyLayer, ToySocket, front
from tests.sync import test_torn_anywhere as torn_anywhere
from tests.sync.test_torn_anywhere import Peer, check, in_thread, tear
from virtproto.errors import ConnectionClosedError, ConnectionLostError
from virtproto.sync.channel import Channel
from virtproto.sync.layered_socket import LayeredSocket
from virtproto.sync.packets import FilePart, LargePacket, Memory, OpenFile
from virtproto.testing import ScriptedServer
from virtproto.transport.road import Road
from virtproto.wire.remote import CONNECT_GET_HOSTNAME as OTHER
from virtproto.wire.remote import CONNECT_GET_LIB_VERSION as MINE
from virtproto.wire.remote import DOMAIN_GET_XML_DESC as ECHO


def layered(sock: socket.socket) -> Road:
    """Return a road with a toy."""
    return Road(sock, "a toy", layer=ToyLayer(), carries_descriptors=False)


def test_many_threads_share_it() -> None:
    with ScriptedServer() as server, front(server.connect()) as (ours, toy):
        server.handle(ECHO, lambda call: call.payload)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        channel = Channel(layered(ours))
        failed: list[object] = []

        def work(number: int) -> None:
            try:
                for turn in range(25):
                    data = bytes([number]) * (turn * number * 997 % 70_000)
                    assert channel.call(ECHO, data, 20) == data
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failed == []
        assert toy.layer.asked > 10
        channel.close()


class Endless:
    """A socket whose peer says without end what means nothing."""

    def __init__(self) -> None:
        self.read = 0

    def recv(self, size: int, flags: int) -> bytes:
        self.read += 1
        assert self.read < 1000, "it goes on and on"
        return b"A\0\0\0"

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        pass


def test_who_does_not_wait_is_not_kept_by_what_means_nothing() -> None:
    sock: Any = Endless()
    layered = LayeredSocket(sock, ToyLayer())
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            layered.recvmsg(65536, 0, socket.MSG_DONTWAIT)
    assert sock.read > 3


class ToyPeer(Peer):
    """The same behind a toy."""

    def _serve(self) -> None:
        self._theirs = ToySocket(self._theirs)  # type: ignore[assignment]
        super()._serve()


@pytest.mark.parametrize("leads", [True, False], ids=["leads", "follows"])
def test_a_call_is_torn_while_another_waits(leads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the layer itself, too: then the connection is lost, and everybody told."""
    ours = (torn_anywhere.OURS, toy_layer.__file__)
    monkeypatch.setattr(torn_anywhere, "OURS", ours)
    place = 0
    torn = True
    while torn:
        place += 1
        peer = ToyPeer()
        channel = Channel(layered(peer.ours))
        done = threading.Event()

        def other(channel: Channel = channel, done: threading.Event = done) -> bytes:
            if leads:
                until(None, lambda: channel._lead is not None or done.is_set())
            return channel.call(OTHER, b"")

        thread, results = in_thread(other)
        if not leads:
            until(None, lambda: channel._lead is not None)  # noqa: B023 - called at once
        torn = tear(place, lambda: channel.call(MINE, b""))  # noqa: B023 - called at once
        done.set()
        # The other one may only have come when the connection was lost.
        check(channel, thread, results, (ConnectionLostError, ConnectionClosedError))
        peer.stop()
    assert place > 60


def test_a_piece_counts_when_it_has_left() -> None:
    """Until then its last byte is missing, so that nobody takes it for done, or takes it back."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    layered_socket = LayeredSocket(ours, ToyLayer())
    data = bytes(range(250)) * 240
    count = layered_socket.send(data)
    assert count == len(data) - 1
    with pytest.raises(BlockingIOError):
        layered_socket.send(data[count:])
    toy = ToySocket(theirs)
    came = bytearray()

    def read() -> None:
        while data := toy.recv(4096):
            came.extend(data)

    thread, _ = in_thread(read)
    ready = select.poll()
    ready.register(layered_socket, select.POLLOUT)
    while count < len(data):
        ready.poll(10_000)
        with contextlib.suppress(BlockingIOError):
            count += layered_socket.send(data[count:])
    assert count == len(data)
    layered_socket.shutdown(socket.SHUT_WR)
    thread.join(10)
    layered_socket.close()
    assert bytes(came) == data
    toy.close()


@pytest.mark.parametrize("payload", ["file", "memory"])
def test_a_large_packet_passes_through_it(tmp_path: Path, payload: str) -> None:
    """What the system sends of a file by itself no layer would have seen."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    layered_socket = LayeredSocket(ours, ToyLayer())
    content = os.urandom(300_000)
    (tmp_path / "disk").write_bytes(content)
    with open(tmp_path / "disk", "rb") as file:
        part = FilePart(OpenFile(file.fileno()), 0, len(content))
    packet = LargePacket(b"head", part if payload == "file" else Memory(memoryview(content)))
    toy = ToySocket(theirs)
    came = bytearray()

    def read() -> None:
        while data := toy.recv(65536):
            came.extend(data)

    thread, _ = in_thread(read)
    ready = select.poll()
    ready.register(layered_socket, select.POLLOUT)
    counts: list[int] = []
    while sum(counts) < len(packet):
        ready.poll(10_000)
        with contextlib.suppress(BlockingIOError):
            packet.send(layered_socket, sum(counts), counts)
    assert sum(counts) == len(packet)
    layered_socket.shutdown(socket.SHUT_WR)
    thread.join(10)
    layered_socket.close()
    assert bytes(came) == b"head" + content
    toy.close()


def test_all_that_is_readable_is_given_at_once() -> None:
    ours, theirs = socket.socketpair()
    layered_socket = LayeredSocket(ours, ToyLayer())
    ToySocket(theirs).sendall(b"x" * 9000)
    assert layered_socket.recvmsg(4)[0] == b"x" * 9000
    with pytest.raises(BlockingIOError):
        layered_socket.recvmsg(4, 0, socket.MSG_DONTWAIT)
    # This side answered what the other one's layer had asked.
    assert theirs.recv(4096)
    theirs.close()
    assert layered_socket.recvmsg(4)[0] == b""
    ours.close()
