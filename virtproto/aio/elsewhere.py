"""What may block, done on a thread of its own, and waited for no longer than allowed, for asyncio.

Responsible for the wait alone. Must not know what is done. Does in an event loop what its namesake
does for threads.
"""

from __future__ import annotations

import asyncio

from virtproto.transport.elsewhere import Outcome, do_elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["outcome_of"]


async def outcome_of(
    function: Callable[..., Any], args: tuple[Any, ...], limit_s: float | None
) -> Outcome | None:
    """Return what came of calling a function on a thread of its own; None for nothing in time.

    It is not one of the loop's threads, for whose end the loop's own would wait. With None for
    ``limit_s`` it takes as long as it takes. Raises ConnectError where no thread can be had.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def tell(outcome: Outcome) -> None:
        loop.call_soon_threadsafe(settle, outcome)

    do_elsewhere(function, args, tell)
    try:
        async with asyncio.timeout(limit_s):
            return await done
    except TimeoutError:
        return None
