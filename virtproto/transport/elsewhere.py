"""What may block is done on a thread of its own, so that whoever waits can go.

Responsible for that thread and for what came of it. Must not know what is done, or how it is waited
for.
"""

from __future__ import annotations

from _thread import start_new_thread

from virtproto.errors import ConnectError, DeadlineError
from virtproto.model.refs import shown_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Outcome", "do_elsewhere", "too_late"]


class Outcome:
    """What came of it: a result that nothing shows, or an error."""

    __slots__ = ("_error", "_result")

    def __init__(self, result: Any, error: BaseException | None) -> None:
        self._result = result
        self._error = error

    def get(self) -> Any:
        """Return the result, or raise the error."""
        if self._error is not None:
            raise self._error
        return self._result


def do_elsewhere(
    function: Callable[..., Any], args: tuple[Any, ...], tell: Callable[[Outcome], object]
) -> None:
    """Call a function on a thread of its own, which calls ``tell`` with what came of it.

    The thread ends with the process, if not before. Raises ConnectError where none can be had.
    """
    try:
        start_new_thread(_do, (function, args, tell))
    except RuntimeError as error:
        raise ConnectError(f"no thread for what may block: {error}") from error


def _do(
    function: Callable[..., Any], args: tuple[Any, ...], tell: Callable[[Outcome], object]
) -> None:
    try:
        outcome = Outcome(function(*args), None)
    except BaseException as error:
        outcome = Outcome(None, error)
    try:  # noqa: SIM105 - contextlib takes long to import
        tell(outcome)
    except RuntimeError:
        # The event loop has ended: nobody wants to know any more.
        pass


def too_late(limit_s: float | None) -> DeadlineError:
    """Return the error for a step of authenticating that was not over in time."""
    return DeadlineError(
        f"authenticating did not get on{shown_within(limit_s)}: some host that it takes, such as a "
        "KDC, does not answer"
    )
