"""virtproto's side: WAY, COUNT and a folder with as many sockets.

``fleet`` opens a fleet as it is by default, ``events`` registers a callback on each connection as
well, ``blocking`` opens blocking connections one after another.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.fleet.taking_stock import Costs

CALLS = 5


def _ignore(*event: object) -> None:
    pass


async def _fleet(way: str, uris: list[str]) -> Costs:
    from virtproto import aio

    async def registered(connection: aio.Connection) -> None:
        await connection.domain_event_register_any(None, 0, _ignore)

    async def called(connection: aio.Connection) -> None:
        for _ in range(CALLS):
            await connection.get_library_version()

    step = registered if way == "events" else called
    async with aio.Fleet(uris[:1]) as warm:
        await warm.run(step)
    costs = Costs()
    async with aio.Fleet(uris) as fleet:
        outcomes = await (fleet.run(registered) if way == "events" else fleet.open())
        failed = [outcome for outcome in outcomes if outcome.error]
        del outcomes
        costs.note("set-up")
        assert not failed, failed[0]
        await fleet.run(called)
        costs.note("calls")
    return costs


def _blocking(uris: list[str]) -> Costs:
    import virtproto

    virtproto.open(uris[0]).close()
    costs = Costs()
    connections = [virtproto.open(uri) for uri in uris]
    costs.note("set-up")
    for connection in connections:
        for _ in range(CALLS):
            connection.get_library_version()
    costs.note("calls")
    for connection in connections:
        connection.close()
    return costs


def main() -> None:
    """Open, register where that is asked for, call, and print what each step cost."""
    way, count, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    uris = [f"test:///default?socket={folder}/h{number}" for number in range(count)]
    costs = _blocking(uris) if way == "blocking" else asyncio.run(_fleet(way, uris))
    costs.tell()


if __name__ == "__main__":
    main()
