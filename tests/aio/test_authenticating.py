"""Being let in, where the loop goes on and a task may be cancelled meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproto import aio
from virtproto.testing import NoReply, ScriptedServer
from virtproto.wire import remote


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """A daemon that wants a password."""
    with ScriptedServer() as running:
        running.handle(remote.AUTH_LIST, remote.AuthListRet(types=[remote.AUTH_TYPE_SASL]))
        running.handle(remote.AUTH_SASL_INIT, remote.AuthSaslInitRet(mechlist="PLAIN"))
        running.handle(remote.AUTH_SASL_START, NoReply())
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def uri(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "auth.conf").touch()
    monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(tmp_path / "auth.conf"))
    return f"test:///default?socket={tmp_path / 's'}"


async def cancelled_when(began: asyncio.Event, uri: str, given: Any) -> None:
    task = asyncio.ensure_future(aio.open(uri, credentials=given))
    async with asyncio.timeout(10):
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_cancelled_while_a_coroutine_is_asked(server: ScriptedServer, uri: str) -> None:
    ended: list[bool] = []

    async def run() -> None:
        began = asyncio.Event()

        async def answer(_requests: Any) -> list[str]:
            began.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)
            return ["fred", "s3cret"]

        await cancelled_when(began, uri, answer)

    asyncio.run(run(), debug=True)
    assert ended == [True]
    server.wait_until(lambda seen: seen.connections_ended == 1)


def test_cancelled_while_a_function_is_asked(server: ScriptedServer, uri: str) -> None:
    go_on = threading.Event()

    async def run() -> None:
        began, loop = asyncio.Event(), asyncio.get_running_loop()

        def answer(_requests: Any) -> list[str]:
            loop.call_soon_threadsafe(began.set)
            go_on.wait(60)
            return ["fred", "s3cret"]

        await cancelled_when(began, uri, answer)

    # Nobody waits for who was asked, not even the loop's end.
    asyncio.run(run(), debug=True)
    server.wait_until(lambda seen: seen.connections_ended == 1)
    go_on.set()
    assert [call.procedure for call in server.calls] == [66, 67]


def test_cancelled_while_the_daemon_is_silent(server: ScriptedServer, uri: str) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(aio.open(uri, credentials=lambda _requests: ["fred", "pw"]))
        number = remote.AUTH_SASL_START.number
        await asyncio.to_thread(
            server.wait_until, lambda seen: any(each.procedure == number for each in seen.calls)
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run(), debug=True)
    server.wait_until(lambda seen: seen.connections_ended == 1)
