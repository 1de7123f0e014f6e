"""virtproto's side: iterators of both colours, callbacks, and who causes storms; a job a line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable

import virtproto
from virtproto import aio
from virtproto import events as blocking
from virtproto.aio import events as asynchronous

# No limit that matters: nothing may be dropped.
_LIMIT = 10_000_000


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


class Clock:
    """CPU and wall time from its making on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def say(self) -> None:
        """Answer with what has passed."""
        _say(cpu=time.process_time() - self._cpu, wall=time.perf_counter() - self._wall)


def hear_blocking(uri: str, count: int) -> None:
    """Loop over events in a thread."""
    with virtproto.open(uri) as connection:
        clock = Clock()
        with connection.events(blocking.DomainLifecycle, limit=_LIMIT) as heard:
            _say(ready=True)
            left = count
            for _ in heard:
                left -= 1
                if not left:
                    break
            clock.say()


async def _hear(uri: str, count: int) -> None:
    async with await aio.open(uri) as connection:
        clock = Clock()
        async with connection.events(asynchronous.DomainLifecycle, limit=_LIMIT) as heard:
            _say(ready=True)
            left = count
            async for _ in heard:
                left -= 1
                if not left:
                    break
            clock.say()


async def _be_called(uri: str, count: int) -> None:
    done = asyncio.get_running_loop().create_future()
    left = count

    def callback(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set_result(None)

    async with await aio.open(uri) as connection:
        clock = Clock()
        number = await connection.domain_event_register_any(None, 0, callback)
        _say(ready=True)
        await done
        clock.say()
        await connection.domain_event_deregister_any(number)


def storm(uri: str, count: int) -> None:
    """Pause and resume a domain until there were so many events."""
    with virtproto.open(uri) as connection:
        domain = connection.get_domain_by_name("test")
        _say(ready=True)
        clock = Clock()
        for _ in range(count // 2):
            domain.suspend()
            domain.resume()
        clock.say()


JOBS: dict[str, Callable[[str, int], None]] = {
    "asyncio": lambda uri, count: asyncio.run(_hear(uri, count)),
    "blocking": hear_blocking,
    "callbacks": lambda uri, count: asyncio.run(_be_called(uri, count)),
    "storm": storm,
}


def main() -> None:
    """Do ``job`` with ``count`` events of ``uri``, a line each; answer as the other side does."""
    for line in sys.stdin:
        request = json.loads(line)
        JOBS[request["job"]](request["uri"], request["count"])


if __name__ == "__main__":
    main()
