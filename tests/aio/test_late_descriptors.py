"""Descriptors of calls that were given up, in an event loop: never taken for another call's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.aio.wire_peer import Peer, channel_and_peer
from virtproto.aio.channel import Channel
from virtproto.errors import DeadlineError, SequenceError
from virtproto.protocol.framing import Packet
from virtproto.wire.qemu import DOMAIN_MONITOR_COMMAND_WITH_FILES as WITH_FILES
from virtproto.wire.remote import CONNECT_GET_HOSTNAME


@pytest.fixture
def letters() -> Iterator[dict[str, int]]:
    """Open descriptors, from each of which its own letter can be read."""
    found = {}
    for letter in "abcd":
        found[letter], end = os.pipe()
        os.write(end, letter.encode())
        os.close(end)
    yield found
    for fd in found.values():
        os.close(fd)


def read(fds: list[int]) -> str:
    said = "".join(os.read(fd, 9).decode() for fd in fds)
    for fd in fds:
        os.close(fd)
    return said


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def start(
    channel: Channel, timeout_s: float | None = None
) -> asyncio.Task[tuple[bytes, list[int]]]:
    return asyncio.create_task(channel.call_with_fds(WITH_FILES, b"", [], timeout_s))


async def given_up(channel: Channel, peer: Peer) -> Packet:
    """Have a call made and given up; return it."""
    task = start(channel)
    [call] = await peer.packets(1)
    task.cancel()
    await asyncio.wait([task])
    return call


async def taken_in(channel: Channel, peer: Peer) -> None:
    """Have all that was sent read."""
    task = asyncio.create_task(channel.call(CONNECT_GET_HOSTNAME, b""))
    [call] = await peer.packets(1)
    peer.answer(call)
    await task


@pytest.mark.parametrize("early", [0, 1, 2])
async def test_a_late_reply_is_told_apart(letters: dict[str, int], early: int) -> None:
    before = open_descriptors()
    async with channel_and_peer() as (channel, peer):
        late = await given_up(channel, peer)
        peer.answer(late, nfds=2)
        for letter in "ab"[:early]:
            peer.send_fd(letters[letter])
        while channel._session.fds_seen < early:
            await asyncio.sleep(0)
        # The rest of the late ones come while another call collects.
        task = start(channel)
        [call] = await peer.packets(1)
        for letter in "ab"[early:]:
            peer.send_fd(letters[letter])
        peer.answer(call, b"mine", nfds=2)
        peer.send_fd(letters["c"])
        peer.send_fd(letters["d"])
        payload, fds = await task
        assert (payload, read(fds)) == (b"mine", "cd")
        await taken_in(channel, peer)
    assert open_descriptors() == before


async def test_a_late_reply_behind_the_answer_costs_nothing(letters: dict[str, int]) -> None:
    before = open_descriptors()
    async with channel_and_peer() as (channel, peer):
        late = await given_up(channel, peer)
        task = start(channel)
        [call] = await peer.packets(1)
        peer.answer(call, b"mine", nfds=1)
        peer.send_fd(letters["c"])
        peer.answer(late, nfds=1)
        peer.send_fd(letters["a"])
        payload, fds = await task
        assert (payload, read(fds)) == (b"mine", "c")
        await taken_in(channel, peer)
    assert open_descriptors() == before


async def test_one_that_does_not_come_fails_the_call_alone(letters: dict[str, int]) -> None:
    before = open_descriptors()
    async with channel_and_peer() as (channel, peer):
        late = await given_up(channel, peer)
        task = start(channel)
        [call] = await peer.packets(1)
        peer.answer(late, nfds=1)
        peer.send_fd(letters["a"])
        peer.answer(call, nfds=1)
        peer.sock.sendall(b"\0")
        with pytest.raises(SequenceError, match="announced 1 descriptors, 0 came"):
            await task
        await taken_in(channel, peer)
    assert open_descriptors() == before


async def test_waiting_for_a_turn_has_a_limit() -> None:
    async with channel_and_peer() as (channel, peer):
        first = start(channel)
        [call] = await peer.packets(1)
        with pytest.raises(DeadlineError, match=r"nothing of it could be sent within 0\.01 s"):
            await start(channel, 0.01)
        peer.answer(call)
        assert await first == (b"", [])
        assert peer.has_nothing()
