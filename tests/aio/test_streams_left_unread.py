"""Streams that nobody reads, or nobody has any more, in an event loop: nothing hangs or is kept."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from virtproto import aio
from virtproto.aio.channel import Channel
from virtproto.aio.stream import Stream
from virtproto.aio.traffic import StreamEnd
from virtproto.errors import DeadlineError
from virtproto.model.endpoint import UnixEndpoint
from virtproto.model.stream_inbox import CROWDED
from virtproto.protocol.framing import pack_packet
from virtproto.testing import OpenStream, ScriptedServer, SendRaw, SendStreamData, SendStreamEnd
from virtproto.testing.actions import Action
from virtproto.wire import remote
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION, ConnectGetLibVersionRet

DOWNLOAD, UPLOAD = remote.STORAGE_VOL_DOWNLOAD, remote.STORAGE_VOL_UPLOAD
REMOTE = 0x20008086
PIECE = bytes(262120)
TOO_MUCH: list[Action] = [SendStreamData(PIECE) for _ in range(5 * CROWDED // len(PIECE))]
# Longer than anything here takes; reached only by what hangs.
LIMIT_S = 10


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    with ScriptedServer({CONNECT_GET_LIB_VERSION: version}) as running:
        yield running


@asynccontextmanager
async def connected(server: ScriptedServer, tmp_path: Path) -> AsyncIterator[aio.Connection]:
    path = server.listen(tmp_path / "s")
    async with (
        asyncio.timeout(LIMIT_S),
        await aio.open(f"test:///default?socket={path}") as connection,
    ):
        yield connection


async def opened(
    server: ScriptedServer,
    connection: aio.Connection,
    *actions: Action,
    procedure: Any = DOWNLOAD,
    flags: int = 0,
) -> Stream:
    server.handle(procedure, [OpenStream(), b"", *actions])
    stream = connection.new_stream(flags)
    await connection._exchange_with_stream(procedure, bytes(4), stream)
    return stream


async def crowded(server: ScriptedServer, connection: aio.Connection) -> Stream:
    """Return a stream on whose account nothing is read any more."""
    stream = await opened(server, connection, *TOO_MUCH, SendStreamEnd())
    await until(lambda: connection._channel._crowded)
    return stream


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("end", ["finish", "abort"])
async def test_a_stream_ends_without_its_data_having_been_read(
    server: ScriptedServer, tmp_path: Path, end: str
) -> None:
    async with connected(server, tmp_path) as connection:
        stream = await crowded(server, connection)
        traffic = stream._end
        assert traffic is not None
        await getattr(stream, end)()
        assert traffic.inbox.size == 0
        assert traffic.inbox.over
        assert not connection._channel._crowded
        assert connection._channel._readers == 0
        assert await connection.get_library_version() == 12008000


async def test_a_block_is_left_without_its_data_having_been_read(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        async with await crowded(server, connection) as stream:
            assert await stream.recv(10) == bytes(10)
        with pytest.raises(ZeroDivisionError):
            async with await crowded(server, connection):
                raise ZeroDivisionError
        assert await connection.get_library_version() == 12008000


async def test_a_crowded_stream_holds_up_no_reader_of_another(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        other = await opened(server, connection)
        call = server.calls[-1]
        full = await crowded(server, connection)
        for data in (b"one", b"two", b""):
            server.send(SendRaw(pack_packet(REMOTE, 1, call.procedure, 3, call.serial, 2, data)))
        assert b"".join([piece async for piece in other]) == b"onetwo"
        await other.finish()
        assert len(await full.read()) == len(TOO_MUCH) * len(PIECE)
        await full.finish()


async def test_a_crowded_stream_holds_up_no_upload(server: ScriptedServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as connection:
        upload = await opened(server, connection, procedure=UPLOAD)
        full = await crowded(server, connection)
        await upload.send(b"x")
        await upload.finish()
        await full.abort()


async def test_asking_another_stream_again_and_again_reads_on(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        other = await opened(server, connection, flags=1)
        call = server.calls[-1]
        full = await crowded(server, connection)
        server.send(SendRaw(pack_packet(REMOTE, 1, call.procedure, 3, call.serial, 2, b"x")))
        while (data := await other.recv(10, 0)) is None:
            await asyncio.sleep(0)
        assert data == b"x"
        await full.abort()
        await other.abort()


async def test_reading_pauses_again_once_nobody_waits(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        other = await opened(server, connection)
        waiting = asyncio.create_task(other.recv(1))
        await asyncio.sleep(0)
        full = await opened(server, connection, *TOO_MUCH)
        traffic = full._end
        assert traffic is not None
        await until(lambda: traffic.inbox.size == len(TOO_MUCH) * len(PIECE))
        assert not connection._channel._crowded
        waiting.cancel()
        await asyncio.wait([waiting])
        call = server.calls[-1]
        server.send(SendRaw(pack_packet(REMOTE, 1, call.procedure, 3, call.serial, 2, b"x")))
        await until(lambda: connection._channel._crowded)
        await full.abort()
        await other.abort()


@asynccontextmanager
async def full_transport(tmp_path: Path) -> AsyncIterator[tuple[Channel, StreamEnd]]:
    """An upload whose daemon takes nothing, after so much that nothing more can be written."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        channel = await Channel.connect(UnixEndpoint(str(tmp_path / "s")), 5.0)
        peer, _ = listener.accept()
        with peer:
            end = StreamEnd(UPLOAD, sparse=False)
            opening = asyncio.create_task(channel.call_opening_stream(UPLOAD, b"", end))
            await asyncio.sleep(0)
            peer.sendall(pack_packet(REMOTE, 1, UPLOAD.number, 1, 0, 0))
            async with asyncio.timeout(LIMIT_S):
                await opening
                while not channel._full:
                    sending = asyncio.create_task(end.send_data(PIECE))
                    await asyncio.sleep(0)
                sending.cancel()
                await asyncio.wait([sending])
                yield channel, end
            await channel.close()


class _Of:
    """As much of a connection as a stream uses."""

    call_timeout_s = 0.05

    def __init__(self, channel: Channel) -> None:
        self._channel = channel


@pytest.mark.parametrize("end", ["finish", "abort", "__aexit__"])
async def test_ending_a_stream_of_a_daemon_that_takes_nothing_meets_the_deadline(
    tmp_path: Path, end: str
) -> None:
    async with full_transport(tmp_path) as (channel, traffic):
        stream = Stream(_Of(channel))  # type: ignore[arg-type]
        stream._end = traffic
        arguments = (None, None, None) if end == "__aexit__" else ()
        with pytest.raises(DeadlineError):
            await getattr(stream, end)(*arguments)
        assert channel._full


async def test_who_is_cancelled_is_not_waited_for(server: ScriptedServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as connection:
        stream = await opened(server, connection)
        traffic = stream._end
        assert traffic is not None
        for _ in range(3):
            task = asyncio.create_task(stream.recv(1))
            await asyncio.sleep(0)
            assert len(traffic._waiting) == 1
            task.cancel()
            await asyncio.wait([task])
            assert traffic._waiting == []
        await stream.abort()


async def test_a_cancelled_sender_is_not_kept(tmp_path: Path) -> None:
    async with full_transport(tmp_path) as (channel, traffic):
        assert channel._senders == []
        task = asyncio.create_task(traffic.send_data(b"x"))
        await asyncio.sleep(0)
        assert len(channel._senders) == 1
        task.cancel()
        await asyncio.wait([task])
        assert channel._senders == []


async def test_a_callback_for_writing_awaits_room_once(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        stream = await opened(server, connection)
        channel = connection._channel
        seen: list[int] = []
        channel.pause_writing()
        stream.add_callback(2, lambda _, events: seen.append(events))
        for _ in range(5):
            stream.update_callback(2)
        assert len(channel._senders) == 1
        channel.resume_writing()
        await until(lambda: seen)
        channel.pause_writing()
        await until(lambda: channel._senders)
        stream.remove_callback()
        assert channel._senders == []
        channel.resume_writing()
        await stream.abort()


_AT_THE_END = """
import asyncio
from virtproto import aio
from virtproto.wire.remote import STORAGE_VOL_UPLOAD

async def callback(stream, events):
    await asyncio.sleep({pause})

async def main():
    connection = await aio.open("test:///default?socket={path}")
    stream = connection.new_stream()
    await connection._exchange_with_stream(STORAGE_VOL_UPLOAD, bytes(4), stream)
    stream.add_callback(2, {callback})
    for _ in range({turns}):
        await asyncio.sleep(0)
    return connection, stream

kept = asyncio.run(main())
"""


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(
    ("callback", "pause"), [("lambda *_: None", 0), ("callback", 0), ("callback", 60)]
)
async def test_a_loop_that_ends_leaves_nothing_of_a_callback(
    server: ScriptedServer, tmp_path: Path, callback: str, pause: int, turns: int
) -> None:
    path = server.listen(tmp_path / "s")
    server.handle(UPLOAD, [OpenStream(), b""])
    code = _AT_THE_END.format(path=path, callback=callback, pause=pause, turns=turns)
    ended = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert "never awaited" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("listening", [False, True])
async def test_closing_calls_no_callback(
    server: ScriptedServer, tmp_path: Path, listening: bool
) -> None:
    async with connected(server, tmp_path) as connection:
        seen: list[int] = []
        stream = await opened(server, connection)
        stream.add_callback(1 | 4 | 8, lambda _, events: seen.append(events))
        if listening:
            await connection.set_keep_alive(60, 1)
        await connection.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen == []


async def test_a_failing_asynchronous_callback_is_reported(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        reports: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reports.append(context["exception"])
        )

        async def callback(stream: Stream, events: int) -> None:
            stream.remove_callback()
            raise ZeroDivisionError

        stream = await opened(server, connection)
        stream.add_callback(2, callback)
        await until(lambda: reports)
        assert [type(report) for report in reports] == [ZeroDivisionError]
        await stream.abort()


@pytest.mark.parametrize("events", [2, 4])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_callback_keeps_no_connection_that_nobody_has(
    server: ScriptedServer, tmp_path: Path, events: int
) -> None:
    path = server.listen(tmp_path / "s")
    connection = await aio.open(f"test:///default?socket={path}")
    stream = await opened(server, connection)
    seen: list[int] = []
    stream.add_callback(events, lambda _, events: seen.append(events))
    known = weakref.ref(stream)
    del stream
    gc.collect()
    # Whoever has the connection need not keep the stream for its callback to be called.
    assert known() is not None
    before = weakref.ref(connection)
    del connection
    await asyncio.sleep(0)
    gc.collect()
    assert before() is None
    async with asyncio.timeout(LIMIT_S):
        await until(lambda: server.connections_ended == 1)


async def test_a_connection_keeps_no_stream_that_is_over(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with connected(server, tmp_path) as connection:
        stream = await opened(server, connection)
        stream.add_callback(1, lambda *_: None)
        assert len(connection._alive().watches) == 1
        await stream.finish()
        assert connection._alive().watches == {}


async def test_keepalive_finds_a_dead_daemon_behind_a_stream_that_nobody_reads(
    server: ScriptedServer, tmp_path: Path
) -> None:
    held = threading.Event()

    def hang() -> None:
        held.wait(LIMIT_S)

    try:
        async with connected(server, tmp_path) as connection:
            reasons: list[int] = []
            connection._opened.close_callbacks = False
            await connection.register_close_callback(lambda _, reason: reasons.append(reason))
            stream = await crowded(server, connection)
            await connection.set_keep_alive(0.05, 1)
            server._do(hang)
            await until(lambda: reasons)
            assert reasons == [2]
            await stream.abort()
    finally:
        held.set()
