"""Keepalive in an event loop: served without anybody's help, on time, and told of once."""

from __future__ import annotations

import asyncio

import pytest

from tests.aio.wire_peer import Peer, channel_and_peer
from virtproto.aio.channel import Channel
from virtproto.aio.traffic import read_no_more
from virtproto.errors import ConnectionClosedError, ConnectionLostError, VirtprotoError
from virtproto.protocol.framing import pack_packet
from virtproto.protocol.keepalive import PONG_PACKET
from virtproto.wire import keepalive
from virtproto.wire.remote import CONNECT_GET_HOSTNAME

# An event that nobody listens for is a sign of life all the same.
EVENT = pack_packet(0x20008086, 1, 318, 2, 1, 0)

Loss = tuple[str, VirtprotoError | None, int]


def losses(channel: Channel) -> list[Loss]:
    """Return the list that what the channel tells of its end is kept in."""
    told: list[Loss] = []
    channel.when_lost(lambda why, error, reason: told.append((why, error, reason)))
    return told


async def test_a_silent_daemon_is_lost_on_time() -> None:
    loop = asyncio.get_running_loop()
    async with channel_and_peer() as (channel, peer):
        told = losses(channel)
        await channel.keep_alive(0.1, 2)
        await asyncio.sleep(0.05)
        peer.sock.sendall(EVENT)
        start = loop.time()
        with pytest.raises(ConnectionLostError, match="2 pings unanswered") as caught:
            await channel.call(CONNECT_GET_HOSTNAME, b"")
        # An interval for each question and one more, from the last that was heard.
        assert 0.25 < loop.time() - start < 1.0
        assert caught.value.may_have_run
        [(why, error, reason)] = told
        assert "pings unanswered" in why
        assert isinstance(error, ConnectionLostError)
        assert reason == 2
        _call, ping, again = await peer.packets(3)
        assert {ping.program, again.program} == {keepalive.PROGRAM}


async def test_a_pong_is_enough() -> None:
    async with channel_and_peer() as (channel, peer):
        await channel.keep_alive(0.02, 1)
        for _ in range(10):
            [ping] = await peer.packets(1)
            assert (ping.program, ping.procedure) == (keepalive.PROGRAM, keepalive.PING)
            peer.sock.sendall(PONG_PACKET)
        assert channel.is_open


async def test_it_can_be_changed_and_ended() -> None:
    async with channel_and_peer() as (channel, peer):
        await channel.keep_alive(0.02, 1)
        await channel.keep_alive(60, 1)
        await asyncio.sleep(0.1)
        assert peer.has_nothing()
        await channel.keep_alive(0.02, 5)
        await peer.packets(1)
        await channel.keep_alive(0, 0)
        peer.sock.sendall(PONG_PACKET)
        await asyncio.sleep(0.1)
        assert peer.has_nothing()
        assert channel.is_open


async def test_its_timer_ends_with_the_connection() -> None:
    loop = asyncio.get_running_loop()
    async with channel_and_peer() as (channel, _):
        await channel.keep_alive(30, 5)
        await channel.close()
        timers = loop._scheduled  # type: ignore[attr-defined]
        assert all(timer.cancelled() for timer in timers)
        with pytest.raises(ConnectionClosedError):
            await channel.keep_alive(30, 5)


class Ears:
    """A listener that counts."""

    crowded = False

    def __init__(self) -> None:
        self.heard = 0
        self.lost: list[int] = []

    def deliver(self, event: object) -> None:
        self.heard += 1

    def lose(self, reason: int) -> None:
        self.lost.append(reason)


async def test_a_daemon_lives_that_takes_what_it_is_sent() -> None:
    async with channel_and_peer() as (channel, peer):
        ears = Ears()
        channel.listen(ears)  # type: ignore[arg-type]
        read_no_more(channel)
        peer.sock.sendall(EVENT)
        await channel.keep_alive(0.02, 1)
        # Each beat leaves something for the next to look for.
        for packet in await peer.packets(10):
            assert packet.program == keepalive.PROGRAM
        assert channel.is_open
        assert ears.heard == 0
        # And one that takes nothing is dead, whatever of it is unread.
        told = losses(channel)
        while not told:
            await asyncio.sleep(0.001)
        assert told[0][2] == 2


async def test_a_daemon_that_ended_is_noticed_behind_what_is_unread() -> None:
    async with channel_and_peer() as (channel, peer):
        ears = Ears()
        channel.listen(ears)  # type: ignore[arg-type]
        read_no_more(channel)
        await channel.keep_alive(0.02, 100)
        peer.sock.sendall(EVENT * 5)
        peer.sock.close()
        while channel.is_open:
            await asyncio.sleep(0.001)
        assert ears.heard == 5
        assert ears.lost == [1]


async def lost_by_the_daemon(channel: Channel, peer: Peer) -> None:
    task = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
    await peer.packets(1)
    peer.sock.close()
    with pytest.raises(ConnectionLostError):
        await task


async def test_a_loss_is_told_once_and_last() -> None:
    order: list[str] = []

    class Listener(Ears):
        def lose(self, reason: int) -> None:
            order.append(f"listener {reason}")

    async with channel_and_peer() as (channel, peer):
        channel.listen(Listener())  # type: ignore[arg-type]
        channel.when_lost(lambda why, error, reason: order.append(f"{why} {error} {reason}"))
        await lost_by_the_daemon(channel, peer)
    assert order == ["listener 1", "the daemon closed it None 1"]


@pytest.mark.parametrize("way", ["close", "abandon"])
async def test_an_end_from_here_is_no_loss(way: str) -> None:
    async with channel_and_peer() as (channel, _):
        told = losses(channel)
        if way == "close":
            await channel.close()
        else:
            with pytest.warns(ResourceWarning):
                channel.abandon()
            while channel.is_open:
                await asyncio.sleep(0)
        assert told == []
