"""Streams, descriptors and events in an event loop: cancelling, pausing, other loops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto import aio
from virtproto.aio import traffic
from virtproto.aio.stream import Stream
from virtproto.errors import ConnectionClosedError, DeadlineError, UsageError
from virtproto.model.stream_inbox import CROWDED
from virtproto.protocol.framing import pack_packet
from virtproto.testing import (
    NoReply,
    OpenStream,
    ReplyWithFds,
    ScriptedServer,
    SendEvent,
    SendRaw,
    SendStreamData,
    SendStreamEnd,
)
from virtproto.testing.actions import Action
from virtproto.wire import keepalive, remote
from virtproto.wire.qemu import DOMAIN_MONITOR_COMMAND_WITH_FILES as WITH_FILES
from virtproto.wire.remote import connect_event as calls
from virtproto.wire.remote.connect import (
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetLibVersionRet,
)

DOWNLOAD, UPLOAD = remote.STORAGE_VOL_DOWNLOAD, remote.STORAGE_VOL_UPLOAD
REMOTE = 0x20008086


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    with ScriptedServer({CONNECT_GET_LIB_VERSION: version}) as running:
        yield running


@pytest.fixture(autouse=True)
def frequent_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for seconds."""
    monkeypatch.setattr(traffic, "_SIGN_OF_LIFE_S", 0.01)


Test = Callable[[ScriptedServer, aio.Connection], Coroutine[Any, Any, None]]


def connected(test: Test) -> Callable[[ScriptedServer, Path], Coroutine[Any, Any, None]]:
    """Give a test an open connection."""

    async def run(server: ScriptedServer, tmp_path: Path) -> None:
        path = server.listen(tmp_path / "s")
        async with await aio.open(f"test:///default?socket={path}") as connection:
            await test(server, connection)

    return run


async def opened(
    server: ScriptedServer, connection: aio.Connection, *actions: Action, procedure: Any = DOWNLOAD
) -> Stream:
    server.handle(procedure, [OpenStream(), b"", *actions])
    stream = connection.new_stream()
    await connection._exchange_with_stream(procedure, bytes(4), stream)
    return stream


async def is_usable(connection: aio.Connection) -> bool:
    return await connection.get_library_version() == 12008000


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@connected
async def test_a_cancelled_reader_loses_nothing(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    stream = await opened(server, connection)
    for _ in range(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.002):
                await stream.recv(10)
    call = server.calls[-1]
    packet = pack_packet(REMOTE, 1, call.procedure, 3, call.serial, 2, b"still")
    server.send(SendRaw(packet))
    assert await stream.recv(10) == b"still"
    await stream.abort()
    assert await is_usable(connection)


@connected
async def test_a_cancelled_block_aborts(server: ScriptedServer, connection: aio.Connection) -> None:
    stream = await opened(server, connection)

    async def work() -> None:
        async with stream:
            await stream.recv(10)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(UsageError, match="over"):
        await stream.recv(1)
    assert await is_usable(connection)


@connected
async def test_nothing_is_read_for_a_stream_that_nobody_reads(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    piece = bytes(262120)
    count = 5 * CROWDED // len(piece)
    many = [SendStreamData(piece) for _ in range(count)]
    stream = await opened(server, connection, *many, SendStreamEnd())
    end = stream._end
    assert end is not None
    await until(lambda: connection._channel._crowded)
    before = end.inbox.size
    # The daemon hears of a client that answers no pings meanwhile.
    pongs = (keepalive.PROGRAM, keepalive.PONG)
    await until(lambda: [(p.program, p.procedure) for p in server.packets].count(pongs) >= 2)
    assert end.inbox.size == before < CROWDED + 2 * len(piece)
    # A call reads on: its answer is behind the data.
    assert await is_usable(connection)
    assert end.inbox.size == count * len(piece)
    assert len(await stream.read()) == count * len(piece)
    await stream.finish()
    assert not connection._channel._crowded
    assert await is_usable(connection)


@connected
async def test_reading_goes_on_once_the_reader_has_caught_up(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    piece = bytes(262120)
    count = 5 * CROWDED // len(piece)
    many = [SendStreamData(piece) for _ in range(count)]
    stream = await opened(server, connection, *many, SendStreamEnd())
    await until(lambda: connection._channel._crowded)
    total = 0
    async for part in stream:
        total += len(part)
    assert total == count * len(piece)
    await stream.finish()


async def test_a_sender_waits_for_a_daemon_that_takes_nothing(tmp_path: Path) -> None:
    # The other end of the connection does not even read.
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        from virtproto.aio.channel import Channel
        from virtproto.model.endpoint import UnixEndpoint

        channel = await Channel.connect(UnixEndpoint(str(tmp_path / "s")), 5.0)
        peer, _ = listener.accept()
        with peer:
            end = traffic.StreamEnd(UPLOAD, sparse=False)
            opening = asyncio.create_task(channel.call_opening_stream(UPLOAD, b"", end))
            await asyncio.sleep(0.01)
            reply = pack_packet(REMOTE, 1, UPLOAD.number, 1, 0, 0)
            peer.sendall(reply)
            await opening
            sent: list[int] = []

            async def send_on() -> None:
                while True:
                    await end.send_data(bytes(262120))
                    sent.append(1)

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(send_on(), 0.2)
            assert len(sent) < 10
            sender = asyncio.create_task(end.send_data(b"x"))
            await asyncio.sleep(0.01)
            assert not sender.done()
            await channel.close()
            with pytest.raises(ConnectionClosedError):
                await sender


@connected
async def test_a_call_with_descriptors_that_is_cancelled_sends_all_of_it(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    server.handle(WITH_FILES, NoReply())
    out, into = os.pipe()
    try:
        channel = connection._channel
        call = channel.call_with_fds(WITH_FILES, bytes(3_000_000), [out, into])
        task = asyncio.create_task(call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await is_usable(connection)
        assert len(server.fds_received) == 2
        with pytest.raises(DeadlineError):
            await channel.call_with_fds(WITH_FILES, b"", [out], 0.05)
        assert await is_usable(connection)
        assert channel._passage is None
    finally:
        os.close(out)
        os.close(into)


@connected
async def test_calls_with_descriptors_take_turns_and_hold_up_no_others(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    out, into = os.pipe()
    try:
        server.handle(WITH_FILES, ReplyWithFds(b"", [out]))
        channel = connection._channel
        results = await asyncio.gather(
            *(channel.call_with_fds(WITH_FILES, bytes(100_000), [into]) for _ in range(5)),
            *(is_usable(connection) for _ in range(20)),
        )
        for result in results[:5]:
            assert isinstance(result, tuple)
            os.close(*result[1])
        assert results[5:] == [True] * 20
    finally:
        os.close(out)
        os.close(into)


@connected
async def test_a_connection_closed_during_a_call_with_descriptors(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    server.handle(WITH_FILES, NoReply())
    before = len(os.listdir("/proc/self/fd"))
    channel = connection._channel
    task = asyncio.create_task(channel.call_with_fds(WITH_FILES, b"", [0, 1]))
    waiting = asyncio.create_task(channel.call_with_fds(WITH_FILES, b"", [0]))
    await until(lambda: len(server.fds_received) == 2)
    await connection.close()
    for each in (task, waiting):
        with pytest.raises(ConnectionClosedError):
            await each
    server.wait_until(lambda seen: seen.connections_ended == 1)
    # The socket and its other end are gone, the server keeps two.
    assert len(os.listdir("/proc/self/fd")) == before


@connected
async def test_asynchronous_callbacks_are_tasks(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    answer = calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=0)
    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, answer)
    seen: list[Any] = []

    async def callback(conn: aio.Connection, dom: aio.Domain, *args: int) -> None:
        seen.append(await conn.get_library_version())
        seen.append(dom.get_name())

    await connection.domain_event_register_any(None, 0, callback)
    dom = remote.NonnullDomain(name="d", uuid=bytes(16), id=1)
    inner = remote.DomainEventLifecycleMsg(dom=dom, event=1, detail=0)
    message = remote.DomainEventCallbackLifecycleMsg(callbackID=0, msg=inner)
    number = remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number
    server.send(SendEvent(REMOTE, number, message))
    await until(lambda: len(seen) == 2)
    assert seen == [12008000, "d"]


@connected
async def test_a_handler_may_be_asynchronous(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    stream = await opened(server, connection, SendStreamData(b"abc"), SendStreamEnd())
    seen: list[bytes] = []

    async def handler(stream: Stream, data: bytes) -> int:
        await asyncio.sleep(0)
        seen.append(data[:2])
        return min(2, len(data))

    await stream.recv_all(handler)
    assert seen == [b"ab", b"c"]
    await stream.finish()


@connected
async def test_a_stream_of_another_loop_is_refused(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    stream = await opened(server, connection)

    def elsewhere() -> None:
        with pytest.raises(UsageError, match="only the event loop"):
            asyncio.run(stream.recv(1))
        with pytest.raises(UsageError, match="only the event loop"):
            asyncio.run(stream.send(b"x"))

    await asyncio.to_thread(elsewhere)
    await stream.abort()


@connected
async def test_streams_and_calls_of_many_tasks(
    server: ScriptedServer, connection: aio.Connection
) -> None:
    many = [SendStreamData(bytes([number]) * 5000) for number in range(20)]
    server.handle(DOWNLOAD, [OpenStream(), b"", *many, SendStreamEnd()])
    server.handle(CONNECT_GET_HOSTNAME, lambda call: call.payload)

    async def work(number: int) -> int:
        if number % 2:
            async with connection.new_stream() as stream:
                await connection._exchange_with_stream(DOWNLOAD, bytes(4), stream)
                return len(await stream.read())
        return int(await is_usable(connection))

    assert await asyncio.gather(*(work(number) for number in range(40))) == [1, 100_000] * 20
