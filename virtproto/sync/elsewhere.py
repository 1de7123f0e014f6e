"""What may block, done on a thread of its own, and waited for no longer than allowed, for threads.

Responsible for the wait alone. Must not know what is done. Does for threads what its namesake does
in an event loop.
"""

from __future__ import annotations

from _thread import allocate_lock

from virtproto.transport.elsewhere import Outcome, do_elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["outcome_of"]

# A lock cannot be waited for longer than this.
_LONGEST_WAIT_S = 86400.0


def outcome_of(
    function: Callable[..., Any], args: tuple[Any, ...], limit_s: float | None
) -> Outcome | None:
    """Return what came of calling a function on a thread of its own; None for nothing in time.

    With None for ``limit_s`` it takes as long as it takes. Raises ConnectError where no thread can
    be had.
    """
    outcomes: list[Outcome] = []
    done = allocate_lock()
    done.acquire()

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        done.release()

    do_elsewhere(function, args, tell)
    done.acquire(True, -1 if limit_s is None else max(0.0, min(limit_s, _LONGEST_WAIT_S)))
    return outcomes[0] if outcomes else None
