"""Long calls and calls without room in an event loop: held, bounded, given up, and never lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.aio.wire_peer import Peer, channel_and_peer
from virtproto import deadline
from virtproto.aio.channel import Channel
from virtproto.errors import ConnectionClosedError, ConnectionLostError, DeadlineError
from virtproto.wire.remote import (
    CONNECT_GET_HOSTNAME,
    DOMAIN_ABORT_JOB,
    DOMAIN_GET_INFO,
    DOMAIN_OPEN_CONSOLE,
)
from virtproto.xdr.procedure import Procedure

# What the transport keeps at most (64 KiB), and what a task may still add to that.
ROOM = 65536
LARGE = 100_000


def start(
    channel: Channel, count: int, timeout_s: float | None = None
) -> list[asyncio.Task[bytes]]:
    """Start long calls."""
    return [
        asyncio.create_task(channel.call(DOMAIN_GET_INFO, b"", timeout_s)) for _ in range(count)
    ]


async def failure(task: asyncio.Future[bytes]) -> BaseException:
    [error] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(error, BaseException)
    return error


async def is_usable(channel: Channel, peer: Peer) -> bool:
    task = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
    [call] = await peer.packets(1)
    assert call.procedure == CONNECT_GET_HOSTNAME.number
    peer.answer(call, b"here")
    return await task == b"here"


async def test_long_calls_are_made_by_and_by() -> None:
    async with channel_and_peer() as (channel, peer):
        assert channel.long_calls == 4
        tasks = start(channel, 10)
        calls = await peer.packets(4)
        assert await is_usable(channel, peer)
        for number in range(10):
            peer.answer(calls[number], bytes([number]))
            if number < 6:
                calls += await peer.packets(1)
        assert peer.has_nothing()
        assert await asyncio.gather(*tasks) == [bytes([number]) for number in range(10)]


@pytest.mark.parametrize("procedure", [CONNECT_GET_HOSTNAME, DOMAIN_ABORT_JOB])
async def test_what_is_not_long_overtakes(procedure: Procedure[object, object]) -> None:
    async with channel_and_peer() as (channel, peer):
        tasks = start(channel, 10)
        calls = await peer.packets(4)
        task = asyncio.create_task(channel.call(procedure, b""))
        [call] = await peer.packets(1)
        assert call.procedure == procedure.number
        peer.answer(call, b"done")
        assert await task == b"done"
        channel.long_calls = None
        for call in [*calls, *await peer.packets(6)]:
            peer.answer(call)
        await asyncio.gather(*tasks)


async def test_a_call_that_was_held_too_long_was_never_sent() -> None:
    async with channel_and_peer() as (channel, peer):
        channel.long_calls = 2
        tasks = start(channel, 3, 0.05)
        await peer.packets(2)
        sent, other, held = [await failure(task) for task in tasks]
        assert isinstance(sent, DeadlineError)
        assert "never sent" not in str(sent)
        assert str(other) == str(sent)
        assert isinstance(held, DeadlineError)
        assert "never sent, as 2 long calls were under way" in str(held)
        assert peer.has_nothing()
        # The daemon still works on two, so the next one waits.
        [task] = start(channel, 1)
        assert await is_usable(channel, peer)
        assert not task.done()


async def test_a_cancelled_call_that_was_held_is_never_sent() -> None:
    async with channel_and_peer() as (channel, peer):
        channel.long_calls = 1
        first, second, third = start(channel, 3)
        [call] = await peer.packets(1)
        second.cancel()
        await asyncio.wait([second])
        peer.answer(call)
        [call] = await peer.packets(1)
        peer.answer(call)
        await asyncio.gather(first, third)
        assert call.serial == 2
        assert channel._session.calls_abandoned == 0


async def test_a_stream_that_is_held_is_opened_in_its_turn() -> None:
    from virtproto.aio.traffic import StreamEnd

    async with channel_and_peer() as (channel, peer):
        channel.long_calls = 1
        [first] = start(channel, 1)
        [call] = await peer.packets(1)
        streams = [StreamEnd(DOMAIN_OPEN_CONSOLE, sparse=False) for _ in range(2)]
        given_up, opened = [
            asyncio.create_task(channel.call_opening_stream(DOMAIN_OPEN_CONSOLE, b"", stream))
            for stream in streams
        ]
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert peer.has_nothing()
        peer.answer(call)
        [call] = await peer.packets(1)
        assert call.serial == 2
        peer.answer(call)
        await asyncio.gather(first, opened)
        assert list(channel._streams.values()) == [streams[1]]


async def test_the_end_says_what_may_have_run() -> None:
    async with channel_and_peer() as (channel, peer):
        channel.long_calls = 1
        tasks = start(channel, 2)
        await peer.packets(1)
        peer.sock.close()
        sent, held = [await failure(task) for task in tasks]
        assert isinstance(sent, ConnectionLostError)
        assert sent.may_have_run
        assert "may have run, and was not made again" in str(sent)
        assert isinstance(held, ConnectionLostError)
        assert not held.may_have_run
        assert "nothing of the call was sent" in str(held)


async def test_close_ends_what_is_held() -> None:
    async with channel_and_peer() as (channel, peer):
        tasks = start(channel, 6)
        await peer.packets(4)
        await channel.close()
        for number, task in enumerate(tasks):
            error = await failure(task)
            assert isinstance(error, ConnectionClosedError)
            assert error.may_have_run is (number < 4)


async def test_no_time_left_sends_nothing() -> None:
    async with channel_and_peer() as (channel, peer):
        with deadline(0.001):
            await asyncio.sleep(0.002)
            with pytest.raises(DeadlineError, match="no time was left for it, so nothing was sent"):
                await channel.call(CONNECT_GET_HOSTNAME, b"", 10.0)
        assert peer.has_nothing()
        assert await is_usable(channel, peer)


async def test_a_block_bounds_the_calls_in_it() -> None:
    async with channel_and_peer() as (channel, peer):
        with deadline(0.05), pytest.raises(DeadlineError, match=r"no answer within 0\.0"):
            await channel.call(CONNECT_GET_HOSTNAME, b"", 10.0)
        await peer.packets(1)
        assert await is_usable(channel, peer)


def written(channel: Channel) -> int:
    """Return how many bytes wait to be sent."""
    assert channel._transport is not None
    queued = sum(len(chunk) for chunk in channel._session._out)
    return channel._transport.get_write_buffer_size() + queued


async def test_large_questions_wait_for_room() -> None:
    async with channel_and_peer() as (channel, peer):
        questions = [bytes([number % 251]) * LARGE for number in range(100)]
        tasks = [
            asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, question))
            for question in questions
        ]
        for _ in range(20):
            await asyncio.sleep(0)
        assert written(channel) <= ROOM + 2 * LARGE
        assert channel._session.calls_pending < 20
        for _ in range(100):
            [call] = await peer.packets(1)
            peer.answer(call, call.payload[:1])
            assert written(channel) <= ROOM + 2 * LARGE
        assert await asyncio.gather(*tasks) == [question[:1] for question in questions]
        assert not channel._senders


async def fill(channel: Channel) -> list[asyncio.Task[bytes]]:
    """Make calls until the transport takes no more."""
    tasks = []
    while not channel._full:
        tasks.append(asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, bytes(LARGE))))
        await asyncio.sleep(0)
    return tasks


async def test_calls_given_up_in_masses_are_not_kept() -> None:
    async with channel_and_peer() as (channel, peer):
        tasks = await fill(channel)
        abandoned = 0
        for _ in range(10):
            crowd = [
                asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b"", 0.001))
                for _ in range(100)
            ]
            errors = await asyncio.gather(*crowd, return_exceptions=True)
            assert all(isinstance(error, DeadlineError) for error in errors)
            assert "nothing of it could be sent within 0.001 s" in str(errors[0])
            abandoned = channel._session.calls_abandoned
        assert abandoned == 0
        assert not channel._senders
        for call in await peer.packets(len(tasks)):
            peer.answer(call)
        await asyncio.gather(*tasks)
        assert await is_usable(channel, peer)


async def test_a_daemon_that_reads_nothing_is_told_little() -> None:
    async with channel_and_peer() as (channel, peer):
        for _ in range(2000):
            with pytest.raises(DeadlineError):
                await channel.call(CONNECT_GET_HOSTNAME, bytes(1000), 0.0001)
        # As much as the kernel and the transport keep, however many are made.
        abandoned = channel._session.calls_abandoned
        assert 0 < abandoned < 1000
        for call in await peer.packets(abandoned):
            peer.answer(call)
        assert await is_usable(channel, peer)
        assert channel._session.calls_abandoned == 0


async def test_what_waits_for_room_is_lost_without_danger() -> None:
    async with channel_and_peer() as (channel, peer):
        tasks = await fill(channel)
        waiting = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
        cancelled = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        peer.sock.close()
        error = await failure(waiting)
        assert isinstance(error, ConnectionLostError)
        assert not error.may_have_run
        for task in tasks:
            error = await failure(task)
            assert isinstance(error, ConnectionLostError)
            assert error.may_have_run


async def test_who_waits_for_room_hears_of_close() -> None:
    async with channel_and_peer() as (channel, _):
        tasks = await fill(channel)
        waiting = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
        await asyncio.sleep(0)
        await channel.close()
        for task in [*tasks, waiting]:
            assert isinstance(await failure(task), ConnectionClosedError)
