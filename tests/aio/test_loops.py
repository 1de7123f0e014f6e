"""A connection belongs to one event loop: what happens in another, and after its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto import aio
from virtproto.errors import ConnectionClosedError, UsageError
from virtproto.testing import NoReply, ScriptedServer
from virtproto.wire import remote

GET_HOSTNAME = remote.CONNECT_GET_HOSTNAME.number


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        running.handle(remote.CONNECT_GET_HOSTNAME, remote.ConnectGetHostnameRet(hostname="h"))
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


@pytest.fixture
def reported() -> list[dict[str, Any]]:
    """What event loops had to complain of."""
    return []


@pytest.fixture
def loop(reported: list[dict[str, Any]]) -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    made.set_exception_handler(lambda _, context: reported.append(context))
    yield made
    made.close()
    gc.collect()
    assert reported == []


def hostnames(server: ScriptedServer) -> int:
    return [call.procedure for call in server.calls].count(GET_HOSTNAME)


async def elsewhere(use: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Return what a coroutine brings in an event loop of another thread."""
    return await asyncio.to_thread(lambda: asyncio.run(use(), debug=True))


async def test_another_loop_is_refused_before_anything_is_sent(
    server: ScriptedServer, uri: str
) -> None:
    async with aio.open(uri) as connection:
        before = len(server.calls)
        with pytest.raises(UsageError, match="only the event loop that opened"):
            await elsewhere(connection.get_hostname)
        with pytest.raises(UsageError, match="only the event loop that opened"):
            await elsewhere(connection.close)
        assert len(server.calls) == before
        assert await connection.get_hostname() == "h"
    # Closed already: nothing is left to do, wherever that is.
    await elsewhere(connection.close)


def test_no_loop_at_all_is_refused_before_anything_is_sent(
    server: ScriptedServer, uri: str, loop: asyncio.AbstractEventLoop
) -> None:
    connection = loop.run_until_complete(aio.open(uri))
    with pytest.raises(UsageError, match="only the event loop that opened"):
        connection.get_hostname().send(None)
    assert hostnames(server) == 0
    loop.run_until_complete(connection.close())


def test_after_the_loops_end_a_connection_makes_no_calls_and_can_be_closed(
    server: ScriptedServer, uri: str, loop: asyncio.AbstractEventLoop
) -> None:
    connection = loop.run_until_complete(aio.open(uri))
    loop.close()
    assert not connection.is_alive()
    with pytest.raises(UsageError, match="the event loop that opened this connection has ended"):
        asyncio.run(connection.get_hostname())
    assert hostnames(server) == 0
    asyncio.run(connection.close())
    server.wait_until(lambda seen: seen.connections_ended == 1)
    asyncio.run(connection.close())
    with pytest.raises(ConnectionClosedError, match="it was closed"):
        asyncio.run(connection.get_hostname())


def test_a_connection_forgotten_after_the_loops_end_is_closed_in_silence(
    server: ScriptedServer, uri: str, loop: asyncio.AbstractEventLoop
) -> None:
    connection = loop.run_until_complete(aio.open(uri))
    loop.close()
    del connection
    server.wait_until(lambda seen: seen.connections_ended == 1)


async def test_many_forgotten_connections_leave_no_descriptor(
    server: ScriptedServer, uri: str
) -> None:
    async def forget() -> None:
        for _ in range(20):
            await aio.open(uri)

    with pytest.warns(ResourceWarning, match="was never closed") as warned:
        await forget()
    assert len(warned) == 20
    await asyncio.to_thread(server.wait_until, lambda seen: seen.connections_ended == 20)


async def test_a_connection_may_be_forgotten_on_any_thread(
    server: ScriptedServer, uri: str
) -> None:
    held = [await aio.open(uri)]
    with pytest.warns(ResourceWarning, match="was never closed"):
        await asyncio.to_thread(held.clear)
    await asyncio.to_thread(server.wait_until, lambda seen: seen.connections_ended == 1)


async def test_who_gives_up_closing_does_not_disturb_who_waits(
    server: ScriptedServer, uri: str
) -> None:
    server.handle(remote.CONNECT_CLOSE, NoReply())
    connection = await aio.open(uri)
    # Both come to where the socket is on its way to be closed, at the same turn of the loop.
    closing = [asyncio.create_task(connection._channel.close()) for _ in range(2)]
    await asyncio.sleep(0)
    closing[0].cancel()
    outcomes = await asyncio.gather(*closing, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1] is None
    assert not connection.is_alive()
