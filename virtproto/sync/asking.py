"""What authenticating waits for besides the daemon: the caller's own function, and computing.

Responsible for asking it where it may wait. Must not know what is asked, or why. Does for threads
what its namesake does in an event loop.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.credentials import concealed_answers
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.model.credentials import Asker, CredentialRequest

__all__ = ["ask", "compute"]


def ask(asker: Asker, requests: Sequence[CredentialRequest]) -> Any:
    """Ask for all that is wanted at once; return whatever is answered, concealed."""
    return _answers(asker(requests))


def _answers(answers: Any) -> Any:
    if hasattr(answers, "__await__"):
        if hasattr(answers, "close"):
            answers.close()
        raise UsageError("credentials: a coroutine function, for which only virtproto.aio waits")
    return concealed_answers(answers)


def compute(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    may_block: bool,
    timeout_s: float | None = None,
) -> Any:
    """Return what a function returns; DeadlineError where it may block, and does for too long."""
    limit_s = time_left(timeout_s) if may_block else None
    if limit_s is None:
        return function(*args)
    from virtproto.transport.elsewhere import too_late

    from .elsewhere import outcome_of

    outcome = outcome_of(function, args, limit_s)
    if outcome is None:
        raise too_late(limit_s)
    return outcome.get()
