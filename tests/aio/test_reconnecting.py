"""Opening anew in an event loop: many that wait, cancelled tasks, and ways to leave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.leftovers import nothing_left
from virtproto import Reconnect, aio, deadline
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    UsageError,
)
from virtproto.testing import CloseConnection, NoReply, ScriptedServer
from virtproto.wire import remote

FAST = Reconnect(0.005, 0.05, jitter=0.0)
HOSTNAME = remote.ConnectGetHostnameRet(hostname="h")
CAPABILITIES = remote.ConnectGetCapabilitiesRet(capabilities="<c/>")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


@pytest.fixture
def uri(path: str) -> str:
    return f"test:///default?socket={path}"


@pytest.fixture
def server(path: str) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.handle(remote.CONNECT_GET_HOSTNAME, HOSTNAME)
        running.listen(path)
        yield running
        if os.path.exists(path + ".away"):
            come_back(path)


def leave(server: ScriptedServer, path: str) -> None:
    """Have no daemon there any more."""
    os.rename(path, path + ".away")
    server.send(CloseConnection())


def come_back(path: str) -> None:
    os.rename(path + ".away", path)


def times(server: ScriptedServer, procedure: int) -> int:
    return [call.procedure for call in server.calls].count(procedure)


async def until_lost(connection: aio.Connection) -> None:
    async with asyncio.timeout(10):
        while connection.state == "open":
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def lost(
    server: ScriptedServer, path: str, uri: str, **options: Any
) -> AsyncIterator[aio.Connection]:
    """A connection whose daemon is gone."""
    async with aio.open(uri, reconnect=FAST, **options) as connection:
        leave(server, path)
        await until_lost(connection)
        yield connection


def run(work: Coroutine[Any, Any, None]) -> None:
    with nothing_left():
        asyncio.run(work, debug=False)
        gc.collect()


def test_the_calls_of_many_tasks_wait_and_are_made_once(
    server: ScriptedServer, path: str, uri: str
) -> None:
    async def work() -> None:
        async with lost(server, path, uri) as connection:
            tasks = [asyncio.create_task(connection.get_hostname()) for _ in range(30)]
            # Some give up; that is their affair alone.
            for task in tasks[::3]:
                await asyncio.sleep(0)
                task.cancel()
            come_back(path)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert answers.count("h") == 20

    run(work())
    assert times(server, remote.CONNECT_GET_HOSTNAME.number) == 20


def test_calls_that_were_held_back_go_to_the_next_channel(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.CONNECT_GET_CAPABILITIES, NoReply())
    number = remote.CONNECT_GET_CAPABILITIES.number

    async def work() -> None:
        async with aio.open(uri, reconnect=FAST, long_calls=1) as connection:
            tasks = [asyncio.create_task(connection.get_capabilities()) for _ in range(3)]
            while not times(server, number):
                await asyncio.sleep(0.002)
            server.handle(remote.CONNECT_GET_CAPABILITIES, CAPABILITIES)
            server.send(CloseConnection())
            first, *others = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(first, ConnectionLostError)
            assert first.may_have_run
            assert others == ["<c/>", "<c/>"]
            first.__traceback__ = None

    run(work())
    assert times(server, number) == 3


def test_deadlines_of_who_noticed_are_not_those_of_the_attempts(
    server: ScriptedServer, path: str, uri: str
) -> None:
    async def work() -> None:
        async with aio.open(uri, reconnect=FAST) as connection:
            leave(server, path)
            with deadline(0.2):
                while connection.state == "open":
                    with contextlib.suppress(ConnectionLostError):
                        await connection.get_hostname()
                with pytest.raises(DeadlineError):
                    await connection.get_hostname()
            await asyncio.sleep(0.05)
            come_back(path)
            assert await connection.get_hostname() == "h"

    run(work())


def test_a_loop_that_ends_takes_it_along(
    server: ScriptedServer, path: str, uri: str, recwarn: pytest.WarningsRecorder
) -> None:
    reports: list[dict[str, Any]] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: reports.append(about))
        kept.append(await aio.open(uri, reconnect=FAST))
        leave(server, path)
        await until_lost(kept[0])

    kept: list[aio.Connection] = []
    asyncio.run(work())
    assert kept[0].state == "closed"
    assert not kept[0].is_alive()

    async def use() -> None:
        with pytest.raises((UsageError, ConnectionClosedError)):
            await kept[0].get_hostname()
        await kept[0].close()

    asyncio.run(use())
    kept.clear()
    gc.collect()
    assert not reports


def test_a_loop_that_is_only_closed_has_nothing_to_report(
    server: ScriptedServer, path: str, uri: str
) -> None:
    reports: list[dict[str, Any]] = []
    with nothing_left():
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, about: reports.append(about))

        async def work() -> aio.Connection:
            connection = await aio.open(uri, reconnect=FAST)
            leave(server, path)
            await until_lost(connection)
            return connection

        connection = loop.run_until_complete(work())
        loop.close()
        assert connection.state == "closed"
        del connection, work
        gc.collect()
        assert not reports
        del loop


def test_a_forgotten_connection_is_not_opened_anew(
    server: ScriptedServer, path: str, uri: str
) -> None:
    async def work() -> None:
        connection = await aio.open(uri, reconnect=FAST)
        leave(server, path)
        await until_lost(connection)
        # It has failed at least once by then, and what it failed with keeps nothing.
        await asyncio.sleep(0.1)
        with pytest.warns(ResourceWarning, match="was never closed"):
            del connection
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work())
    assert times(server, remote.CONNECT_OPEN.number) == 1


def test_closing_wakes_those_who_wait(server: ScriptedServer, path: str, uri: str) -> None:
    async def work() -> None:
        async with lost(server, path, uri) as connection:
            task = asyncio.create_task(connection.get_hostname())
            await asyncio.sleep(0.02)
            await connection.close()
            with pytest.raises(ConnectionClosedError, match="it was closed"):
                await task
            assert len(asyncio.all_tasks()) == 1

    run(work())


def test_another_loop_cannot_wait_for_it(server: ScriptedServer, path: str, uri: str) -> None:
    async def ask(connection: aio.Connection) -> None:
        with pytest.raises(UsageError, match="only the event loop that opened"):
            await connection.get_hostname()
        with pytest.raises(UsageError, match="only the event loop that opened"):
            await connection.close()

    async def work() -> None:
        async with lost(server, path, uri) as connection:
            await asyncio.to_thread(asyncio.run, ask(connection))
            come_back(path)
            assert await connection.get_hostname() == "h"

    run(work())
