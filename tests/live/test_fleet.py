"""A fleet of two hundred connections to real daemons, of which some are bad at times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.fixtures import private_daemon
from tests.lab.leftovers import nothing_left
from virtproto import aio
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    SocketMissingError,
    SocketRefusedError,
)

pytestmark = pytest.mark.lab

COUNT = 200
# The deadline of each host where some hang, in seconds.
SHORT_S = 1.0


class Hosts:
    """Two hundred sockets, as though of as many hosts: most of one daemon, and one of another."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        settings = {"max_clients": 4 * COUNT, "max_anonymous_clients": 2 * COUNT}
        self.daemon = stack.enter_context(private_daemon("9.0.0", settings))
        self.other = stack.enter_context(private_daemon("9.0.0"))
        for number in range(COUNT):
            self.path(number).symlink_to(self.daemon.socket_path)
        self.uris = [f"test:///default?socket={self.path(number)}" for number in range(COUNT)]

    def path(self, number: int) -> Path:
        return self.folder / f"h{number}"

    def give_to_other(self, number: int) -> None:
        self.remove(number)
        self.path(number).symlink_to(self.other.socket_path)

    def remove(self, number: int) -> None:
        self.path(number).unlink()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(tmp_path, stack)


async def domain_names(connection: aio.Connection) -> list[str]:
    return [domain.get_name() for domain in await connection.list_all_domains()]


def bad(outcomes: list[aio.Outcome[list[str]]]) -> dict[int, type]:
    """Return the kinds of the errors by the hosts' numbers; all others must have the answer."""
    assert len(outcomes) == COUNT
    for outcome in outcomes:
        assert outcome.error or outcome.value == ["test"]
    return {n: type(outcome.error) for n, outcome in enumerate(outcomes) if outcome.error}


def test_two_hundred_hosts_with_bad_ones_among_them(hosts: Hosts) -> None:
    hosts.give_to_other(17)
    hosts.remove(42)
    hosts.other.freeze()

    async def use() -> None:
        async with aio.Fleet(hosts.uris, timeout_s=SHORT_S) as fleet:
            came = [outcome async for outcome in fleet.each(domain_names)]
            assert came[-1].uri == hosts.uris[17]
            assert SHORT_S * 0.9 < came[-1].took_s < 3 * SHORT_S
            by_number = sorted(came, key=lambda outcome: hosts.uris.index(outcome.uri))
            assert bad(by_number) == {17: DeadlineError, 42: SocketMissingError}
            assert len(fleet.connections) == COUNT - 2
            # They come round, and the next run finds them.
            hosts.other.thaw()
            hosts.path(42).symlink_to(hosts.daemon.socket_path)
            assert bad(await fleet.run(domain_names, timeout_s=30)) == {}
            assert len(fleet.connections) == COUNT

    with nothing_left():
        asyncio.run(use())


def test_a_host_that_freezes_costs_its_own_deadline_only(hosts: Hosts) -> None:
    hosts.give_to_other(17)

    async def use() -> None:
        async with aio.Fleet(hosts.uris, at_once=8) as fleet:
            assert bad(await fleet.run(domain_names)) == {}
            kept = fleet.connections[hosts.uris[17]]
            hosts.other.freeze()
            started = time.monotonic()
            outcomes = await fleet.run(domain_names, timeout_s=SHORT_S)
            assert time.monotonic() - started < 3 * SHORT_S
            assert bad(outcomes) == {17: DeadlineError}
            hosts.other.thaw()
            assert bad(await fleet.run(domain_names)) == {}
            assert fleet.connections[hosts.uris[17]] is kept
            hosts.other.freeze()
            started = time.monotonic()
        # Nor does it hold up the closing for longer than a goodbye may take.
        assert time.monotonic() - started < 5

    with nothing_left():
        asyncio.run(use())


def test_a_host_that_dies_is_connected_to_anew(hosts: Hosts) -> None:
    hosts.give_to_other(17)

    async def wait_for_its_end(connection: aio.Connection) -> list[str]:
        if connection.get_uri() == hosts.uris[17]:
            await asyncio.to_thread(hosts.other.kill)
        return await domain_names(connection)

    async def use() -> None:
        async with aio.Fleet(hosts.uris) as fleet:
            (kind,) = bad(await fleet.run(wait_for_its_end)).values()
            assert kind in {ConnectionLostError, ConnectionClosedError}
            assert bad(await fleet.run(domain_names)) == {17: SocketRefusedError}
            hosts.remove(17)
            hosts.path(17).symlink_to(hosts.daemon.socket_path)
            assert bad(await fleet.run(domain_names)) == {}

    with nothing_left():
        asyncio.run(use())


def test_a_run_that_is_given_up_leaves_nothing(hosts: Hosts) -> None:
    async def use() -> None:
        async with aio.Fleet(hosts.uris, at_once=COUNT, timeout_s=None) as fleet:
            await fleet.run(domain_names, on=hosts.uris[:50])
            hosts.daemon.freeze()
            run = asyncio.create_task(fleet.run(domain_names))
            while len(asyncio.all_tasks()) < COUNT:
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            hosts.daemon.thaw()
            assert len(fleet.connections) == 50
            assert bad(await fleet.run(domain_names)) == {}

    with nothing_left():
        asyncio.run(use())
