"""Five hundred tasks on one asyncio connection to a real daemon: each gets its own answer.

Every question has an answer that belongs to it alone; what comes is looked at, each time. Once with
everybody waiting for the answer, once with calls given up in every way there is.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon
from tests.live.node import Member, Node
from virtproto import aio

pytestmark = pytest.mark.lab

TASKS = 500
CALLS = 100_000
DOMAINS = 200
# How long a call takes that is given up, at most; they take about a twentieth of a second here.
PATIENCE_S = 0.05
SETTLED_S = 20.0
LONG_TALE = "tale " * 5000

Question = Callable[[aio.Connection, aio.Domain, Member], Awaitable[None]]


async def info(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    found = await domain.get_info()
    assert (found.max_memory_kib, found.vcpus) == (member.memory_kib, member.vcpus)


async def max_memory(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    assert await domain.get_max_memory() == member.memory_kib


async def by_name(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    assert (await connection.get_domain_by_name(member.name)).get_uuid() == member.uuid.bytes


async def by_uuid(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    assert (await connection.get_domain_by_uuid(member.uuid)).get_name() == member.name


async def description(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    assert f"<name>{member.name}</name>" in await domain.get_xml_description()


async def stranger(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    with pytest.raises(virtproto.NoNetworkError, match=f"'not-{member.name}'"):
        await connection.get_network_by_name(f"not-{member.name}")


async def refused(connection: aio.Connection, domain: aio.Domain, member: Member) -> None:
    # With arguments that do not go out in one piece.
    text = f"<domain type='{member.name}'><!-- {LONG_TALE} --><name>x</name></domain>"
    with pytest.raises(virtproto.LibvirtError, match=f"{member.name}\\b"):
        await connection.define_domain(text)


# What is asked, and how often.
QUESTIONS: dict[Question, int] = {
    info: 20,
    max_memory: 40,
    by_name: 20,
    by_uuid: 20,
    description: 4,
    stranger: 8,
    refused: 1,
}


async def wait(question: Coroutine[Any, Any, None], rng: random.Random) -> None:
    await question


async def give_up(question: Coroutine[Any, Any, None], rng: random.Random) -> None:
    """Ask, and wait for the answer at most until something else happens."""
    how = rng.randrange(4)
    patience_s = rng.random() * PATIENCE_S
    if how == 0:
        await question
    elif how == 1:
        with virtproto.deadline(patience_s + 1e-6):
            await question
    elif how == 2:
        async with asyncio.timeout(patience_s):
            await question
    else:
        task = asyncio.create_task(question)
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        task.cancel()
        await task


class Crowd:
    """Tasks that ask until enough was asked, and what came of it."""

    def __init__(self, connection: aio.Connection, node: Node, seed: int) -> None:
        self._connection = connection
        self._node = node
        self._left = CALLS
        self._seed = seed
        self.outcomes: Counter[str] = Counter()

    async def ask_all(self, way: Callable[..., Awaitable[None]]) -> None:
        domains = {each.get_name(): each for each in await self._connection.list_all_domains()}
        async with asyncio.TaskGroup() as group:
            for number in range(TASKS):
                group.create_task(self._ask(way, domains, random.Random(self._seed + number)))

    async def _ask(
        self,
        way: Callable[..., Awaitable[None]],
        domains: dict[str, aio.Domain],
        rng: random.Random,
    ) -> None:
        kinds, weights = list(QUESTIONS), list(QUESTIONS.values())
        while self._left > 0:
            self._left -= 1
            member = rng.choice(self._node.members)
            (kind,) = rng.choices(kinds, weights)
            question = kind(self._connection, domains[member.name], member)
            try:
                await way(question, rng)
                self.outcomes["answered"] += 1
            except virtproto.DeadlineError:
                self.outcomes["late"] += 1
            except (TimeoutError, asyncio.CancelledError):
                self.outcomes["cancelled"] += 1


async def settle(connection: aio.Connection) -> None:
    """Wait until the daemon has answered what was given up, and see that nothing is left of it."""
    session = connection._channel._session
    async with asyncio.timeout(SETTLED_S):
        while session.calls_abandoned:
            assert await connection.get_hostname()
    channel = connection._channel
    assert session.calls_pending == session.calls_held == 0
    assert not channel._waiting
    assert not channel._senders
    assert not session._limiter.sent


def timers(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    return [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]


async def crowd_asks(node: Node, way: Callable[..., Awaitable[None]], seed: int) -> Counter[str]:
    """Have the questions asked on one connection; see that nothing is left of it all."""
    before = len(os.listdir("/proc/self/fd"))
    async with aio.open(node.uri, timeout_s=30.0) as connection:
        crowd = Crowd(connection, node, seed)
        await crowd.ask_all(way)
        await settle(connection)
        assert (await connection.get_domain_by_name("member-7")).get_name() == "member-7"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert timers(asyncio.get_running_loop()) == []
    assert len(os.listdir("/proc/self/fd")) == before
    return crowd.outcomes


@pytest.fixture(scope="module")
def node(libvirtd: PrivateDaemon) -> Node:
    return Node(libvirtd, DOMAINS)


def test_no_wrong_answer(node: Node) -> None:
    outcomes = asyncio.run(crowd_asks(node, wait, 1))
    assert outcomes == {"answered": CALLS}


def test_no_wrong_answer_while_calls_are_given_up(node: Node) -> None:
    outcomes = asyncio.run(crowd_asks(node, give_up, 2))
    assert outcomes.total() == CALLS
    # All of it happened, and often.
    assert min(outcomes[each] for each in ("answered", "late", "cancelled")) > CALLS / 100
