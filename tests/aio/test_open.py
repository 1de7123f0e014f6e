"""``aio.open``: everything that awaits takes it, and so does ``async with``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest

from virtproto import aio
from virtproto.errors import ConnectionClosedError, SocketMissingError
from virtproto.testing import NoReply, ScriptedServer
from virtproto.wire import remote

AUTH_LIST, CLOSE = 66, 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


def times(server: ScriptedServer, procedure: int) -> int:
    return [call.procedure for call in server.calls].count(procedure)


async def test_it_can_be_awaited(server: ScriptedServer, uri: str) -> None:
    connection = await aio.open(uri)
    assert connection.is_alive()
    assert connection.get_uri() == uri
    await connection.close()


async def test_async_with_closes_the_connection(server: ScriptedServer, uri: str) -> None:
    async with aio.open(uri, readonly=True) as connection:
        assert connection.is_alive()
        assert connection.is_readonly()
        assert times(server, CLOSE) == 0
    assert not connection.is_alive()
    assert times(server, CLOSE) == 1


async def test_a_connection_is_a_context_by_itself(server: ScriptedServer, uri: str) -> None:
    async with await aio.open(uri) as connection:
        assert connection.is_alive()
    assert not connection.is_alive()


async def test_async_with_closes_after_an_exception(server: ScriptedServer, uri: str) -> None:
    with pytest.raises(KeyError):
        async with aio.open(uri) as connection:
            raise KeyError
    assert not connection.is_alive()
    with pytest.raises(ConnectionClosedError):
        await connection.get_hostname()


async def test_it_can_be_a_task(server: ScriptedServer, uri: str) -> None:
    task: asyncio.Task[aio.Connection] = asyncio.create_task(aio.open(uri))
    assert "coro=<open()" in repr(task)
    connection = await task
    assert connection.is_alive()
    await connection.close()


async def test_it_can_be_waited_for(server: ScriptedServer, uri: str) -> None:
    connection = await asyncio.wait_for(aio.open(uri), 10)
    assert connection.is_alive()
    await connection.close()


async def test_waiting_too_long_leaves_nothing_open(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.AUTH_LIST, NoReply())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(aio.open(uri, timeout_s=None), 0.05)
    server.wait_until(lambda seen: seen.connections_ended == 1)


async def test_many_can_be_gathered(server: ScriptedServer, uri: str) -> None:
    connections = await asyncio.gather(*(aio.open(uri) for _ in range(5)))
    assert len({id(connection) for connection in connections}) == 5
    assert times(server, AUTH_LIST) == 5
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(connection.close())


async def test_a_task_that_is_cancelled_at_once_opens_nothing(
    server: ScriptedServer, uri: str
) -> None:
    task = asyncio.create_task(aio.open(uri))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.calls == []


async def test_failure_reaches_who_waits(tmp_path: Path) -> None:
    nowhere = f"test:///default?socket={tmp_path}/none"
    with pytest.raises(SocketMissingError):
        await asyncio.create_task(aio.open(nowhere))
    with pytest.raises(SocketMissingError):
        async with aio.open(nowhere):
            pass


async def test_it_is_a_coroutine_that_runs_once(server: ScriptedServer, uri: str) -> None:
    opening: Coroutine[object, object, aio.Connection] = aio.open(uri)
    assert asyncio.iscoroutine(opening)
    await (await opening).close()
    with pytest.raises(RuntimeError, match="already awaited"):
        await opening


def test_asyncio_run_takes_it(tmp_path: Path) -> None:
    # A connection would end with its event loop, so what is seen is why there is none.
    with pytest.raises(SocketMissingError):
        asyncio.run(aio.open(f"test:///default?socket={tmp_path}/none"))


def test_what_is_never_awaited_is_warned_of(uri: str) -> None:
    opening = aio.open(uri)
    with pytest.warns(RuntimeWarning, match="never awaited"):
        del opening


def test_giving_up_before_the_start_is_no_mistake(uri: str) -> None:
    aio.open(uri).close()
    with pytest.raises(KeyError):
        aio.open(uri).throw(KeyError())
