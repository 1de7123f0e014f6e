"""The blocking channel: one call at a time, through deadlines, signals, damage and the end."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.colours.damage import DAMAGE
from tests.colours.driving import until
from tests.interrupting import Interruption, interruption
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    SocketMissingError,
    VirtprotoError,
)
from virtproto.model.endpoint import UnixEndpoint
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import CallReceived
from virtproto.sync.channel import Channel
from virtproto.testing import (
    CloseConnection,
    NoReply,
    ScriptedServer,
    SendRaw,
)
from virtproto.transport.road import Road
from virtproto.wire.remote.connect import (
    CONNECT_CLOSE,
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetLibVersionRet,
)

VERSION = ConnectGetLibVersionRet(lib_ver=12008000)
# How long a failure may take where it must not hang.
PROMPT_S = 10.0


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({CONNECT_GET_LIB_VERSION: VERSION}) as running:
        yield running


def channel_to(server: ScriptedServer) -> Channel:
    return Channel(Road(server.connect(), "a socket pair"))


def ask(channel: Channel, timeout_s: float | None = 10.0) -> int:
    payload = channel.call(CONNECT_GET_LIB_VERSION, b"", timeout_s)
    return ConnectGetLibVersionRet.unpack(payload).lib_ver


def test_connect_reaches_a_path(server: ScriptedServer, tmp_path: Path) -> None:
    channel = Channel.connect(UnixEndpoint(server.listen(tmp_path / "s")), 5.0)
    assert ask(channel) == 12008000
    channel.close()
    with pytest.raises(SocketMissingError):
        Channel.connect(UnixEndpoint(str(tmp_path / "none")), 5.0)


@pytest.mark.parametrize("size", [65536, 300_000, 3_000_000])
def test_a_large_reply_and_a_large_question(server: ScriptedServer, size: int) -> None:
    server.handle(CONNECT_GET_HOSTNAME, lambda call: call.payload)
    channel = channel_to(server)
    sent = bytes(range(256)) * (size // 256)
    assert channel.call(CONNECT_GET_HOSTNAME, sent, 10.0) == sent
    assert ask(channel) == 12008000
    channel.close()


def test_a_deadline_holds_although_bytes_trickle_in(server: ScriptedServer) -> None:
    head = (1000).to_bytes(4, "big")
    stop = threading.Event()
    server.handle(CONNECT_GET_HOSTNAME, [SendRaw(head), NoReply()])
    channel = channel_to(server)

    def trickle() -> None:
        while not stop.wait(0.02):
            server.send(SendRaw(b"\0"))

    thread = threading.Thread(target=trickle)
    thread.start()
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        channel.call(CONNECT_GET_HOSTNAME, b"", 0.2)
    assert time.monotonic() - start < 5
    stop.set()
    thread.join()
    channel.close()


def test_a_question_that_the_daemon_does_not_take_meets_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(Road(ours, "a socket pair"))
    question = bytes(8_000_000)
    with theirs:
        with pytest.raises(DeadlineError):
            channel.call(CONNECT_GET_HOSTNAME, question, 0.05)
        # What is half sent must be sent whole before anything else.
        with pytest.raises(DeadlineError):
            channel.call(CONNECT_GET_HOSTNAME, b"next", 0.05)
        received = bytearray()

        def drain() -> None:
            while len(received) < 28 + len(question) + 28:
                received.extend(theirs.recv(1 << 20))

        thread = threading.Thread(target=drain)
        thread.start()
        with pytest.raises(DeadlineError):
            channel.call(CONNECT_GET_LIB_VERSION, b"", 2.0)
        thread.join(10)
        assert int.from_bytes(received[:4], "big") == 28 + len(question)
        # The second question was given up before a byte of it had left, and is not sent at all.
        assert received[28 + len(question) :][12:16] == (157).to_bytes(4, "big")
        channel.close()


class Stop(BaseException):
    """What the signal handler of these tests raises, as KeyboardInterrupt would be."""


@pytest.fixture
def stopping() -> Iterator[Interruption]:
    with interruption(signal.SIGUSR1, Stop) as one:
        yield one


def test_a_signal_during_a_call_leaves_the_connection_usable(
    server: ScriptedServer, stopping: Interruption
) -> None:
    go_on = threading.Event()

    def interrupt(call: CallReceived) -> bytes:
        stopping.send()
        go_on.wait(10)
        return b"nobody reads this"

    server.handle(CONNECT_GET_HOSTNAME, interrupt)
    channel = channel_to(server)
    for _ in range(20):
        go_on.clear()
        with pytest.raises(Stop):
            channel.call(CONNECT_GET_HOSTNAME, b"")
        go_on.set()
        assert ask(channel) == 12008000
    channel.close()


def test_a_signal_in_the_middle_of_a_large_reply_leaves_it_readable(
    server: ScriptedServer, stopping: Interruption
) -> None:
    packet = bytearray(28 + 200_000)
    packet[:28] = bytes.fromhex("00030d5c 20008086 00000001 0000003b 00000001 00000000 00000000")
    server.handle(CONNECT_GET_HOSTNAME, [SendRaw(bytes(packet[:100_000])), NoReply()])
    channel = channel_to(server)

    def interrupt() -> None:
        server.wait_until(lambda seen: len(seen.calls) == 1)
        stopping.send()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stop):
        channel.call(CONNECT_GET_HOSTNAME, b"")
    thread.join()
    server.handle(CONNECT_GET_LIB_VERSION, [SendRaw(bytes(packet[100_000:])), VERSION])
    assert ask(channel) == 12008000
    channel.close()


def test_a_torn_core_is_reported_and_not_read_on(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = channel_to(server)

    def torn(*args: object) -> None:
        raise Stop

    half = VERSION.pack()[:3]
    server.handle(CONNECT_GET_HOSTNAME, [SendRaw(b"\0\0\0\x24" + half), NoReply()])
    with monkeypatch.context() as patch:
        patch.setattr("virtproto.protocol.client.ClientSession.receive_reply", torn)
        with pytest.raises(Stop):
            channel.call(CONNECT_GET_HOSTNAME, b"")
    with pytest.raises(ConnectionLostError, match="torn by a signal"):
        ask(channel)
    with pytest.raises(ConnectionClosedError, match="torn by a signal"):
        ask(channel)
    assert not channel.is_open


@pytest.mark.parametrize(("raw", "kind"), DAMAGE)
def test_damage_ends_the_connection_at_once(raw: bytes, kind: type[VirtprotoError]) -> None:
    with ScriptedServer({CONNECT_GET_LIB_VERSION: [SendRaw(raw), NoReply()]}) as server:
        channel = channel_to(server)
        start = time.monotonic()
        with pytest.raises(kind):
            ask(channel)
        assert time.monotonic() - start < PROMPT_S
        with pytest.raises(ConnectionClosedError, match="it failed"):
            ask(channel)
        channel.close()


def test_a_daemon_that_is_gone_before_the_call_is_a_lost_connection() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    channel = Channel(Road(ours, "a socket pair"))
    with pytest.raises(ConnectionLostError, match="CONNECT_GET_LIB_VERSION"):
        ask(channel)
    assert not channel.is_open


def test_close_frees_a_thread_that_waits(server: ScriptedServer) -> None:
    server.handle(CONNECT_GET_HOSTNAME, NoReply())
    channel = channel_to(server)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            channel.call(CONNECT_GET_HOSTNAME, b"")
        except VirtprotoError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    server.wait_until(lambda seen: len(seen.calls) == 1)
    channel.close(CONNECT_CLOSE)
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [ConnectionClosedError]


def test_threads_take_turns(server: ScriptedServer) -> None:
    server.handle(CONNECT_GET_HOSTNAME, lambda call: call.payload)
    channel = channel_to(server)
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for index in range(100):
            question = bytes([number, index])
            answer = channel.call(CONNECT_GET_HOSTNAME, question)
            if answer != question:
                wrong.append(answer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert len(server.calls) == 400
    channel.close()


def test_the_daemon_may_close_while_nothing_is_said(server: ScriptedServer) -> None:
    channel = channel_to(server)
    assert ask(channel) == 12008000
    server.send(CloseConnection())
    server.wait_until(lambda seen: seen.connections_ended == 1)
    with pytest.raises(ConnectionLostError):
        ask(channel)


@pytest.mark.parametrize("where", ["send_call", "receive_reply"])
def test_a_signals_handler_may_close_the_connection_that_it_came_upon(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    channel = channel_to(server)
    method = getattr(ClientSession, where)

    def work(*args: Any, **options: Any) -> Any:
        found = method(*args, **options)
        # As a handler would that runs now: this thread has the lock.
        if channel._closed is None:
            channel.close(CONNECT_GET_LIB_VERSION)
        return found

    monkeypatch.setattr(ClientSession, where, work)
    results: list[object] = []

    def call() -> None:
        try:
            results.append(ask(channel))
        except ConnectionClosedError as error:
            results.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert len(results) == 1
    until(None, lambda: channel._ended and channel._sock.fileno() < 0)
    assert channel._waiting == {}
    with pytest.raises(ConnectionClosedError, match="it was closed"):
        ask(channel)
