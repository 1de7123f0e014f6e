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
    # What a future has for its result, asyncio's debug log shows.
    answers = await compute(_answers, (asker, requests), may_block=True)
    return _concealed(await answers) if isawaitable(answers) else answers


def _answers(asker: Callable[..., Any], requests: Sequence[CredentialRequest]) -> Any:
    answers = asker(requests)
    return answers if isawaitable(answers) else _concealed(answers)


def _concealed(answers: Any) -> list[Any] | None:
    if answers is None:
        return None
    if isinstance(answers, str):
        raise UsageError("credentials: the function answered with one text, not with a list")
    # From here on no repr shows them.
    return [Concealed(each) if isinstance(each, str) else each for each in answers]


async def compute(function: Callable[..., Any], args: tuple[Any, ...], *, may_block: bool) -> Any:
    """Return what a function returns; where it may block it runs in a thread."""
    if not may_block:
        return function(*args)
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)
