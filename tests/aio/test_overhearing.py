"""Traced connections of asyncio: told in the loop, before whoever waits goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.colours.streaming import OPEN
from tests.colours.tracing import Kept
from virtproto import aio
from virtproto.aio import traffic
from virtproto.testing import NoReply, ScriptedServer, SendStreamData
from virtproto.trace import message as kinds
from virtproto.trace.message import TracedMessage
from virtproto.wire import remote

VERSION = remote.CONNECT_GET_LIB_VERSION
NAME = remote.CONNECT_GET_HOSTNAME


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A URI of the test's own socket."""
    return f"test:///default?socket={tmp_path}/s"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A daemon that knows its release."""
    with ScriptedServer({VERSION: remote.ConnectGetLibVersionRet(lib_ver=1)}) as running:
        running.listen(str(tmp_path / "s"))
        yield running


def test_many_tasks_at_once(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    loops = set()

    def tell(message: TracedMessage) -> None:
        loops.add(asyncio.get_running_loop())
        kept(message)

    async def ask() -> None:
        async with aio.open(uri, trace=tell) as connection:
            await asyncio.gather(*(connection.get_library_version() for _ in range(300)))
            assert kept.names(from_client=False).count(VERSION.name) == 300
        assert loops == {asyncio.get_running_loop()}

    asyncio.run(ask())
    kept.sound()


def test_a_function_may_have_more_asked(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    tasks: list[asyncio.Task[int]] = []

    def tell(message: TracedMessage) -> None:
        kept(message)
        if message.procedure == VERSION.name and not tasks:
            tasks.append(asyncio.create_task(connections[0].get_library_version()))

    connections: list[aio.Connection] = []

    async def ask() -> None:
        async with aio.open(uri, trace=tell) as connection:
            connections.append(connection)
            await connection.get_library_version()
            assert await tasks[0] == 1

    asyncio.run(ask())
    assert kept.names().count(VERSION.name) == 2
    kept.sound()


def test_a_call_that_is_cancelled_was_told(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    server.handle(NAME, NoReply())

    async def ask() -> None:
        async with aio.open(uri, trace=kept) as connection:
            task = asyncio.create_task(connection.get_hostname())
            while NAME.name not in kept.names():
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await connection.get_library_version()

    asyncio.run(ask())
    kept.sound()


def test_signs_of_life_are_told(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads a stream: the daemon is told from time to time that somebody lives."""
    monkeypatch.setattr(traffic, "_SIGN_OF_LIFE_S", 0.01)
    kept = Kept()
    much = [SendStreamData(bytes(262120)) for _ in range(40)]
    server.handle(remote.STORAGE_VOL_DOWNLOAD, [*OPEN, *much])

    async def ask() -> None:
        async with aio.open(uri, trace=kept) as connection:
            stream = connection.new_stream()
            await connection._exchange_with_stream(remote.STORAGE_VOL_DOWNLOAD, b"\0\0\0\0", stream)
            async with asyncio.timeout(10):
                while kinds.PONG not in [each.kind for each in kept]:
                    await asyncio.sleep(0.01)
            await stream.abort()

    asyncio.run(ask())
    assert all(each.from_client for each in kept if each.kind is kinds.PONG)
    kept.sound()


def test_a_loop_that_ends_first(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(_opened(uri, kept))
    assert connection.is_alive()
    loop.close()
    # Without its loop there is nobody to say goodbye.
    asyncio.run(connection.close())
    assert kept.names()[-1] == "CONNECT_OPEN"
    kept.sound()


async def _opened(uri: str, kept: Kept) -> aio.Connection:
    return await aio.open(uri, trace=kept, keepalive=None)
