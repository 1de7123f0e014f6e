"""Streams that are slow at either end, used both ways at once, and used as files; in both colours.

What is kept for a slow reader, and how long a sender waits, is measured at the daemon's end.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

import virtproto
from tests.colours.streaming import (
    DOWNLOAD,
    END,
    OPEN,
    PLAIN,
    UPLOAD,
    ends_of,
    is_usable,
    opened,
    sent_to,
)
from virtproto import aio
from virtproto.errors import ArgumentTypeError, DeadlineError
from virtproto.protocol.events import StreamFinishAsked
from virtproto.protocol.framing import pack_packet
from virtproto.testing import FailStream, ReplyError, ScriptedServer, SendRaw, SendStreamData
from virtproto.testing.actions import Answer
from virtproto.wire import remote

MIB = 1 << 20
# Room in sockets, in the buffers of a loop, and for a packet on its way.
SLACK = 4 * MIB


def test_a_slow_reader_leaves_the_rest_with_the_daemon(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    pieces = [SendStreamData(bytes([number % 251]) * MIB) for number in range(64)]
    stream = opened(server, connection, *pieces, *END)
    inbox = stream._end.inbox  # type: ignore[union-attr]
    total = 0
    most = 0
    while data := stream.recv(100_000):
        total += len(data)
        most = max(most, inbox.size)
    assert total == 64 * MIB
    # 4 MiB, and what one read of the socket may bring.
    assert most <= 4 * MIB + 2 * MIB
    stream.finish()
    assert is_usable(connection)


def test_a_slow_daemon_makes_the_sender_wait(
    server: ScriptedServer, uri: str, connection: virtproto.Connection
) -> None:
    held, holding = threading.Event(), threading.Event()
    done: list[int] = []
    seen: list[int] = []

    def hold(call: object) -> Answer:
        # The server has one thread: it takes nothing from anybody meanwhile.
        holding.set()
        held.wait(10)
        return remote.ConnectGetTypeRet(type="TEST")

    def hold_up() -> None:
        with virtproto.open(uri) as other:
            other.get_type()

    def look() -> None:
        seen.append(sum(done))
        held.set()

    server.handle(remote.CONNECT_GET_TYPE, hold)
    stream = opened(server, connection, procedure=UPLOAD)
    holder, looker = threading.Thread(target=hold_up), threading.Timer(0.3, look)
    holder.start()
    holding.wait(10)
    looker.start()
    for _ in range(64):
        done.append(stream.send(bytes(MIB)))
    looker.join()
    holder.join()
    stream.finish()
    assert seen[0] <= SLACK
    assert len(sent_to(server)) == 64 * MIB


def has_heard(returns: int, server: ScriptedServer) -> bool:
    return sent_to(server).count(b"\r") >= returns


@contextmanager
def console(server: ScriptedServer, uri: str, rounds: int) -> Iterator[None]:
    """A console that echoes what it hears, and speaks by itself in between."""
    stop = threading.Event()

    def speak() -> None:
        server.wait_until(lambda seen: any(c.procedure == OPEN_CONSOLE for c in seen.calls))
        call = next(call for call in server.calls if call.procedure == OPEN_CONSOLE)

        def say(data: bytes) -> None:
            server.send(
                SendRaw(pack_packet(call.program, 1, call.procedure, 3, call.serial, 2, data))
            )

        for number in range(rounds):
            say(b"tick")
            server.wait_until(partial(has_heard, number + 1))
            say(b"echo")
        say(b"")
        stop.set()

    server.handle(remote.DOMAIN_OPEN_CONSOLE, [*OPEN])
    thread = threading.Thread(target=speak)
    thread.start()
    yield
    thread.join()
    assert stop.is_set()


OPEN_CONSOLE = remote.DOMAIN_OPEN_CONSOLE.number
ROUNDS = 200


def test_one_thread_reads_while_another_writes(server: ScriptedServer, uri: str) -> None:
    with console(server, uri, ROUNDS), virtproto.open(uri) as connection:
        stream = connection.new_stream()
        connection.get_domain_by_name("web").open_console(stream, None, 0)
        heard: list[bytes] = []
        ticks = threading.Semaphore(0)

        def read() -> None:
            while data := stream.recv(100):
                heard.append(data)
                for _ in range(data.count(b"tick")):
                    ticks.release()

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(ROUNDS):
            assert ticks.acquire(timeout=10)
            stream.send(b"\r")
        reader.join(10)
        assert b"".join(heard) == b"tickecho" * ROUNDS
        stream.finish()


def test_one_task_reads_while_another_writes(server: ScriptedServer, uri: str) -> None:
    async def talk() -> bytes:
        async with await aio.open(uri) as connection:
            stream = connection.new_stream()
            domain = await connection.get_domain_by_name("web")
            await domain.open_console(stream, None, 0)
            heard: list[bytes] = []
            ticks = asyncio.Semaphore(0)

            async def read() -> None:
                async for data in stream:
                    heard.append(data)
                    for _ in range(data.count(b"tick")):
                        ticks.release()

            reader = asyncio.create_task(read())
            for _ in range(ROUNDS):
                await asyncio.wait_for(ticks.acquire(), 10)
                await stream.write(b"\r")
            await asyncio.wait_for(reader, 10)
            await stream.finish()
            return b"".join(heard)

    with console(server, uri, ROUNDS):
        assert asyncio.run(talk(), debug=True) == b"tickecho" * ROUNDS


def test_a_time_limit_holds_for_reading(server: ScriptedServer, uri: str) -> None:
    with virtproto.open(uri) as connection:
        stream = opened(server, connection, SendStreamData(b"abc"))
        with virtproto.deadline(0.1):
            assert stream.recv(10) == b"abc"
            with pytest.raises(DeadlineError):
                stream.recv(10)
        assert is_usable(connection)
        stream.abort()
        assert is_usable(connection)


def test_a_time_limit_holds_for_reading_in_a_task(server: ScriptedServer, uri: str) -> None:
    async def read() -> bool:
        server.handle(DOWNLOAD, [*OPEN, SendStreamData(b"abc")])
        async with await aio.open(uri) as connection:
            stream = connection.new_stream()
            await connection._exchange_with_stream(DOWNLOAD, PLAIN, stream)
            with virtproto.deadline(0.1):
                assert await stream.recv(10) == b"abc"
                with pytest.raises(DeadlineError):
                    await stream.recv(10)
            await stream.abort()
            return await connection.get_library_version() > 0

    assert asyncio.run(read())


def test_reading_into_memory(server: ScriptedServer, connection: virtproto.Connection) -> None:
    stream = opened(server, connection, SendStreamData(b"abcdef"), *END)
    room = bytearray(4)
    assert stream.readinto(room) == 4
    assert room == b"abcd"
    assert stream.readinto(memoryview(room)[2:]) == 2
    assert room == b"abef"
    assert stream.readinto(bytearray()) == 0
    assert stream.readinto(room) == 0
    for wrong in (b"fixed", None, "text"):
        with pytest.raises(ArgumentTypeError, match=r"^buffer: "):
            stream.readinto(wrong)
    assert not stream.closed
    stream.close()
    assert stream.closed
    stream.close()
    assert ends_of(server) == [StreamFinishAsked]
    assert is_usable(connection)


def test_closing_a_stream_that_failed_drops_it(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, FailStream(ReplyError("gone", code=38)))
    assert is_usable(connection)
    stream.close()
    assert stream.closed
    unopened = connection.new_stream()
    unopened.close()
    assert not unopened.closed


def test_a_blocking_stream_is_file_enough(server: ScriptedServer, uri: str) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(20_000))
    pieces = [SendStreamData(lines[at : at + 9999]) for at in range(0, len(lines), 9999)]
    # What they ask of a type is more than what they use.
    reader: Any = io.BufferedReader
    writer: Any = io.BufferedWriter
    with virtproto.open(uri) as connection:
        with reader(opened(server, connection, *pieces, *END)) as file:
            assert file.readline() == b"line 0\n"
            assert sum(1 for _ in file) == 19_999
        with io.TextIOWrapper(reader(opened(server, connection, *pieces, *END))) as text:
            assert text.read() == lines.decode()
        copy = io.BytesIO()
        with opened(server, connection, *pieces, *END) as stream:
            shutil.copyfileobj(stream, copy)
        assert copy.getvalue() == lines
        with writer(opened(server, connection, procedure=UPLOAD)) as out:
            shutil.copyfileobj(io.BytesIO(lines), out)
        assert sent_to(server) == lines
        assert ends_of(server) == [StreamFinishAsked] * 4
        assert is_usable(connection)
