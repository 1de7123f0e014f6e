"""What authenticating waits for besides the daemon: the caller's own function, and computing.

Responsible for asking it without holding up the loop: a coroutine function is awaited, another one
runs in a thread. Must not know what is asked, or why. Does in an event loop what its namesake does
for threads.
"""

from __future__ import annotations

from inspect import isawaitable, iscoroutinefunction

from virtproto.model.credentials import concealed_answers
from virtproto.transport.deadline import time_left
from virtproto.transport.elsewhere import too_late

from .elsewhere import outcome_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.model.credentials import CredentialRequest

__all__ = ["ask", "compute"]


async def ask(asker: Any, requests: Sequence[CredentialRequest]) -> Any:
    """Ask for all that is wanted at once; return whatever is answered, concealed."""
    if iscoroutinefunction(asker) or iscoroutinefunction(getattr(asker, "__call__", None)):  # noqa: B004
        return concealed_answers(await asker(requests))
    # He may take his time.
    answers = await _elsewhere(_answers, (asker, requests), None)
    return concealed_answers(await answers) if isawaitable(answers) else answers


def _answers(asker: Callable[..., Any], requests: Sequence[CredentialRequest]) -> Any:
    return _unless_later(asker(requests))


def _unless_later(answers: Any) -> Any:
    """Return what is to be awaited as it is, and answers concealed."""
    return answers if isawaitable(answers) else concealed_answers(answers)


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
    """Return what a function returns in a thread."""
    outcome = await outcome_of(function, args, limit_s)
    if outcome is None:
        raise too_late(limit_s)
    return outcome.get()
