"""What authenticating waits for besides the daemon: the caller's own function, and computing.

Responsible for asking it without holding up the loop: a coroutine function is awaited, another one
runs in a thread. Must not know what is asked, or why. Does in an event loop what its namesake does
for threads.
"""

from __future__ import annotations

import asyncio
from inspect import isawaitable, iscoroutinefunction

from virtproto.errors import UsageError
from virtproto.model.credentials import Concealed
from virtproto.transport.deadline import time_left
from virtproto.transport.elsewhere import Outcome, do_elsewhere, too_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.model.credentials import CredentialRequest

__all__ = ["ask", "compute"]


async def ask(asker: Any, requests: Sequence[CredentialRequest]) -> list[Any] | None:
    """Ask for all that is wanted at once; None where nothing is told."""
    if iscoroutinefunction(asker) or iscoroutinefunction(getattr(asker, "__call__", None)):  # noqa: B004
        return _concealed(await asker(requests))
    # He may take his time.
    answers = await _elsewhere(_answers, (asker, requests), None)
    return _concealed(await answers) if isawaitable(answers) else answers


def _answers(asker: Callable[..., Any], requests: Sequence[CredentialRequest]) -> Any:
    answers = asker(requests)
    return answers if isawaitable(answers) else _concealed(answers)


def _concealed(answers: Any) -> list[Any] | None:
    if answers is None:
        return None
    if isinstance(answers, str) or not hasattr(answers, "__iter__"):
        kind = type(answers).__name__
        raise UsageError(f"credentials: the function answered with one {kind}, not with a list")
    # From here on no repr shows them.
    return [Concealed(each) if isinstance(each, str) else each for each in answers]


async def compute(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    may_block: bool,
    timeout_s: float | None = None,
) -> Any:
    """Return what a function returns; where it may block it runs in a thread.

    Raises DeadlineError where it blocks for too long.
    """
    if not may_block:
        return function(*args)
    return await _elsewhere(function, args, time_left(timeout_s))


async def _elsewhere(
    function: Callable[..., Any], args: tuple[Any, ...], limit_s: float | None
) -> Any:
    """Return what a function returns in a thread; not one of the loop's, whose end waits for it."""
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
            outcome = await done
    except TimeoutError:
        raise too_late(limit_s) from None
    return outcome.get()
