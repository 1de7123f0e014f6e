"""The channel of asyncio: many calls at once, through deadlines, cancelling, damage and the end."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.colours.damage import DAMAGE
from virtproto.aio.channel import Channel
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    SocketMissingError,
    VirtprotoError,
)
from virtproto.model.endpoint import UnixEndpoint
from virtproto.protocol.events import CallReceived
from virtproto.testing import (
    CloseConnection,
    Faults,
    NoReply,
    ScriptedServer,
    SendPing,
    SendRaw,
)
from virtproto.wire.remote.connect import (
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetLibVersionRet,
)

VERSION = ConnectGetLibVersionRet(lib_ver=12008000)
# How long a failure may take where it must not hang.
PROMPT_S = 10.0


def echo(call: CallReceived) -> bytes:
    """Answer a call with its own arguments."""
    return call.payload


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({CONNECT_GET_LIB_VERSION: VERSION}) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


async def channel_to(server: ScriptedServer, path: str) -> Channel:
    server.listen(path)
    return await Channel.connect(UnixEndpoint(path), 5.0)


async def ask(channel: Channel, timeout_s: float | None = 10.0) -> int:
    payload = await channel.call(CONNECT_GET_LIB_VERSION, b"", timeout_s)
    return ConnectGetLibVersionRet.unpack(payload).lib_ver


async def happened(event: threading.Event) -> None:
    """Wait for something on the server's thread without holding the loop."""
    assert await asyncio.to_thread(event.wait, 10)


async def test_connect_says_why_not(tmp_path: Path) -> None:
    with pytest.raises(SocketMissingError):
        await Channel.connect(UnixEndpoint(str(tmp_path / "none")), 5.0)


async def test_a_daemon_too_busy_to_accept_meets_the_deadline(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(DeadlineError, match=r"within 0\.05 s"):
            await Channel.connect(UnixEndpoint(path), 0.05)
        # Once there is room the waiting connection gets in.
        waiting = asyncio.create_task(Channel.connect(UnixEndpoint(path), None))
        await asyncio.sleep(0)
        accepted = [listener.accept()[0]]
        channel = await waiting
        accepted.append(listener.accept()[0])
        await channel.close()
        for peer in accepted:
            peer.close()


@pytest.mark.parametrize("size", [65536, 300_000, 3_000_000])
async def test_a_large_reply_and_a_large_question(
    server: ScriptedServer, path: str, size: int
) -> None:
    server.handle(CONNECT_GET_HOSTNAME, echo)
    channel = await channel_to(server, path)
    sent = bytes(range(256)) * (size // 256)
    small, large, other = await asyncio.gather(
        ask(channel), channel.call(CONNECT_GET_HOSTNAME, sent, 10.0), ask(channel)
    )
    assert (small, other) == (12008000, 12008000)
    assert large == sent
    await channel.close()


async def test_replies_may_come_in_any_order(path: str) -> None:
    faults = Faults(reorder=(2, 0, 1))
    with ScriptedServer({CONNECT_GET_HOSTNAME: echo}, faults=faults) as server:
        channel = await channel_to(server, path)
        questions = [bytes([number]) for number in range(30)]
        answers = await asyncio.gather(
            *(channel.call(CONNECT_GET_HOSTNAME, question) for question in questions)
        )
        assert answers == questions
        await channel.close()


async def test_many_connections_share_one_buffer(server: ScriptedServer, path: str) -> None:
    server.handle(CONNECT_GET_HOSTNAME, echo)
    server.listen(path)
    channels = [await Channel.connect(UnixEndpoint(path), 5.0) for _ in range(10)]
    assert len({id(channel.get_buffer(-1)) for channel in channels}) == 1
    questions = [bytes([number]) * 1000 * number for number in range(10)]
    for _ in range(5):
        answers = await asyncio.gather(
            *(
                channel.call(CONNECT_GET_HOSTNAME, question)
                for channel, question in zip(channels, questions, strict=True)
            )
        )
        assert answers == questions
    for channel in channels:
        await channel.close()


async def test_calls_of_one_turn_leave_in_one_write(
    server: ScriptedServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await channel_to(server, path)
    writes: list[int] = []
    flush = Channel._flush

    def counted(self: Channel) -> None:
        writes.append(len(self._session._out))
        flush(self)

    monkeypatch.setattr(Channel, "_flush", counted)
    await asyncio.gather(*(ask(channel) for _ in range(20)))
    # The first leaves at once, since nothing else is on its way; the others together.
    assert [count for count in writes if count] == [1, 19]
    await channel.close()


async def test_pings_are_answered_while_nobody_calls(server: ScriptedServer, path: str) -> None:
    channel = await channel_to(server, path)
    assert await ask(channel) == 12008000
    ponged = threading.Event()
    server.send(SendPing())

    def wait() -> None:
        server.wait_until(lambda seen: any(p.program == 0x6B656570 for p in seen.packets))
        ponged.set()

    thread = threading.Thread(target=wait)
    thread.start()
    await happened(ponged)
    thread.join()
    assert server.packets[-1].procedure == 2
    await channel.close()


async def test_each_call_has_its_own_deadline(server: ScriptedServer, path: str) -> None:
    server.handle(CONNECT_GET_HOSTNAME, NoReply())
    channel = await channel_to(server, path)
    order: list[float] = []

    async def wait(timeout_s: float) -> None:
        with pytest.raises(DeadlineError):
            await channel.call(CONNECT_GET_HOSTNAME, b"", timeout_s)
        order.append(timeout_s)

    await asyncio.gather(*(wait(timeout_s) for timeout_s in (0.15, 0.05, 0.1)), ask(channel, 0.5))
    assert order == [0.05, 0.1, 0.15]
    await channel.close()


async def test_a_cancelled_call_leaves_the_connection_usable(
    server: ScriptedServer, path: str
) -> None:
    held = threading.Event()
    called = threading.Event()

    def late(call: CallReceived) -> bytes:
        called.set()
        held.wait(10)
        return b""

    server.handle(CONNECT_GET_HOSTNAME, late)
    channel = await channel_to(server, path)
    task = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b"", 5.0))
    await happened(called)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.set()
    assert await ask(channel) == 12008000
    assert len(server.calls) == 2
    await channel.close()


@pytest.mark.parametrize(("raw", "kind"), DAMAGE)
async def test_damage_ends_every_call_at_once(
    path: str, raw: bytes, kind: type[VirtprotoError]
) -> None:
    with ScriptedServer({CONNECT_GET_HOSTNAME: NoReply()}) as server:
        server.handle(CONNECT_GET_LIB_VERSION, [SendRaw(raw), NoReply()])
        channel = await channel_to(server, path)
        start = time.monotonic()
        other, asked = await asyncio.gather(
            channel.call(CONNECT_GET_HOSTNAME, b""), ask(channel), return_exceptions=True
        )
        assert time.monotonic() - start < PROMPT_S
        assert type(other) is type(asked) is kind
        assert other is not asked
        with pytest.raises(ConnectionClosedError, match="it failed"):
            await ask(channel)
        await channel.close()


async def test_a_large_reply_cut_short_is_a_lost_connection(path: str) -> None:
    with ScriptedServer({CONNECT_GET_HOSTNAME: echo}, faults=Faults(cut_after=150_000)) as server:
        channel = await channel_to(server, path)
        with pytest.raises(ConnectionLostError, match="150000 bytes of an unfinished packet"):
            await channel.call(CONNECT_GET_HOSTNAME, bytes(300_000))
        await channel.close()


async def test_close_ends_the_calls_that_wait(server: ScriptedServer, path: str) -> None:
    server.handle(CONNECT_GET_HOSTNAME, NoReply())
    channel = await channel_to(server, path)
    task = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b"", 30.0))
    await asyncio.sleep(0)
    await channel.close()
    with pytest.raises(ConnectionClosedError, match="closed during CONNECT_GET_HOSTNAME"):
        await task


async def test_the_daemon_may_close_while_nothing_is_said(
    server: ScriptedServer, path: str
) -> None:
    channel = await channel_to(server, path)
    assert await ask(channel) == 12008000
    server.send(CloseConnection())
    while channel.is_open:
        await asyncio.sleep(0.001)
    with pytest.raises(ConnectionClosedError, match="the daemon closed it"):
        await ask(channel)
    await channel.close()
