"""What authenticating waits for besides the daemon: the caller's own function, and computing.

Responsible for asking it where it may wait. Must not know what is asked, or why. Does for threads
what its namesake does in an event loop.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.model.credentials import Concealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.model.credentials import Asker, CredentialRequest

__all__ = ["ask", "compute"]


def ask(asker: Asker, requests: Sequence[CredentialRequest]) -> list[Any] | None:
    """Ask for all that is wanted at once; None where nothing is told."""
    answers = asker(requests)
    if answers is None:
        return None
    if hasattr(answers, "__await__"):
        if hasattr(answers, "close"):
            answers.close()
        raise UsageError("credentials: a coroutine function, for which only virtproto.aio waits")
    if isinstance(answers, str):
        raise UsageError("credentials: the function answered with one text, not with a list")
    # From here on no repr shows them.
    return [Concealed(each) if isinstance(each, str) else each for each in answers]


def compute(function: Callable[..., Any], args: tuple[Any, ...], *, may_block: bool) -> Any:
    """Return what a function returns."""
    return function(*args)
