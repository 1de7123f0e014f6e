"""Iterators over events where tasks are cancelled, share one, or are in another loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle
from virtproto import aio, deadline
from virtproto.aio.events import DomainLifecycle, DomainReboot
from virtproto.errors import DeadlineError, UsageError
from virtproto.protocol.events import CallReceived
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

REGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
DEREGISTER = calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY
_PATIENCE_S = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


async def until_asked(server: ScriptedServer, number: int, times: int = 1) -> None:
    """Let the loop run until a procedure was called so often."""
    while sum(call.procedure == number for call in server.calls) < times:
        await asyncio.sleep(0.001)


async def until_empty(registrar: Registrar) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while registrar.kept:
            await asyncio.sleep(0.001)


async def test_a_loop_over_events(server: ScriptedServer, registrar: Registrar, uri: str) -> None:
    async with await aio.open(uri) as connection:
        async with connection.events(DomainLifecycle) as heard:
            server.send(*(lifecycle(0, n) for n in range(1000)))
            seen = []
            async for event in heard:
                seen.append(int(event.event))
                if len(seen) == 1000:
                    break
            assert seen == list(range(1000))
        assert registrar.kept == {}


async def test_a_task_cancelled_while_it_waits_loses_no_event(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    async with (
        await aio.open(uri) as connection,
        connection.events(DomainLifecycle) as heard,
    ):
        for number in range(20):
            task = asyncio.create_task(anext(heard))
            await asyncio.sleep(0)
            server.send(lifecycle(0, number))
            if number % 2:
                await asyncio.sleep(0.002)
            task.cancel()
            try:
                found = await task
            except asyncio.CancelledError:
                found = await heard.next(timeout_s=_PATIENCE_S)
            assert found.event == number


async def test_a_task_cancelled_while_the_daemon_is_asked_leaves_nothing(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        assert go_on.wait(_PATIENCE_S)
        return registrar.register(call)

    async with await aio.open(uri) as connection:
        other = connection.events(DomainReboot)
        await other.__aenter__()
        server.handle(REGISTER, slow)
        heard = connection.events(DomainLifecycle, DomainReboot)
        task = asyncio.create_task(heard.__aenter__())
        await until_asked(server, REGISTER.number, 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        # The same once more takes on what was asked.
        async with heard:
            assert len(registrar.kept) == 2
            server.send(lifecycle(1, 5))
            assert (await heard.next(timeout_s=_PATIENCE_S)).event == 5  # type: ignore[union-attr]
        await other.close()
        await until_empty(registrar)


async def test_a_task_cancelled_while_it_closes_has_the_daemon_told_all_the_same(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        assert go_on.wait(_PATIENCE_S)
        return registrar.deregister(call)

    server.handle(DEREGISTER, slow)
    async with await aio.open(uri) as connection:
        heard = connection.events(DomainLifecycle)
        await heard.__aenter__()
        task = asyncio.create_task(heard.close())
        await until_asked(server, DEREGISTER.number)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        async with connection.events(DomainLifecycle):
            assert len(registrar.kept) == 1
        await until_empty(registrar)


async def test_a_deregistration_cancelled_before_it_is_sent_is_sent_later(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    async with await aio.open(uri) as connection:
        number = await connection.domain_event_register_any(None, LIFECYCLE, print)
        task = asyncio.create_task(connection.domain_event_deregister_any(number))
        # Up to its first wait, and not further.
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await connection.domain_event_register_any(None, LIFECYCLE, print)
        assert len(registrar.kept) == 1


async def test_each_event_goes_to_one_of_the_tasks_that_share_an_iterator(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    seen: list[int] = []

    async with await aio.open(uri) as connection:
        heard = connection.events(DomainLifecycle)

        async def take() -> None:
            async for event in heard:
                seen.append(int(event.event))
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(take()) for _ in range(3)]
        await until_asked(server, REGISTER.number)
        while not registrar.kept:
            await asyncio.sleep(0.001)
        for start in (0, 50):
            server.send(*(lifecycle(0, n) for n in range(start, start + 50)))
            async with asyncio.timeout(_PATIENCE_S):
                while len(seen) < start + 50:
                    await asyncio.sleep(0.001)
        # Ends the loops of all.
        await heard.close()
        await asyncio.gather(*tasks)
    assert sorted(seen) == list(range(100))


async def test_a_forgotten_iterator_has_the_daemon_told_by_itself(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    async with await aio.open(uri) as connection:
        held = [connection.events(DomainLifecycle)]
        await held[0].__aenter__()
        with pytest.warns(ResourceWarning, match="never closed"):
            held.clear()
        await until_empty(registrar)


async def test_a_block_of_limited_time_bounds_the_wait(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    async with await aio.open(uri) as connection:
        heard = connection.events(DomainLifecycle)
        with pytest.raises(DeadlineError), deadline(0.05):
            async for _ in heard:
                pass
        server.send(lifecycle(0, 1))
        assert (await heard.next(timeout_s=_PATIENCE_S)).event == 1
        await heard.close()


def test_another_loop_is_refused(server: ScriptedServer, registrar: Registrar, uri: str) -> None:
    with asyncio.Runner() as runner, asyncio.Runner() as another:
        connection = runner.run(aio.open(uri))
        heard = connection.events(DomainLifecycle)
        runner.run(heard.__aenter__())
        with pytest.raises(UsageError, match="only the event loop that opened"):
            another.run(heard.next())
        runner.run(heard.close())
        runner.run(connection.close())
