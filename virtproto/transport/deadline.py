"""A time limit for all that is called in a block, whatever is called there and on which connection.

Responsible for what ``with deadline(seconds):`` means in threads and in tasks alike, each of which
has limits of its own. Must not know what is called.
"""

from __future__ import annotations

# contextvars, which is this and a name more, costs a module.
from _contextvars import ContextVar, copy_context
from time import monotonic

from virtproto.model.refs import check_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Context, Token
    from types import TracebackType
    from typing import Self

__all__ = ["deadline", "instead", "outside", "time_left"]

# When the innermost block's time is up, by the monotonic clock.
_until: ContextVar[float | None] = ContextVar("virtproto_deadline", default=None)


class deadline:
    """Give all calls of a block, together, a number of seconds: ``with deadline(2.5): ...``.

    It holds for calls, streams and events of any connection, blocking and asyncio, which the thread
    or task makes within the block, and for tasks that it starts there. What is not done in time
    raises DeadlineError, and leaves the connection usable; what is called when no time is left
    is not even sent. Of nested blocks the one that ends first counts; so does a connection's own
    ``call_timeout_s`` where it is shorter. Raises UsageError for what is no number of seconds
    above 0; None is no limit of its own.
    """

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float | None) -> None:
        check_timeout("seconds", seconds)
        self._seconds = seconds
        self._token: Token[float | None] | None = None

    def __enter__(self) -> Self:
        until = _until.get()
        if self._seconds is not None:
            own = monotonic() + self._seconds
            until = own if until is None else min(until, own)
        self._token = _until.set(until)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _until.reset(self._token)
            self._token = None


class instead:
    """Have what is called in a block heed ``until``, and no limit of the blocks around it.

    ``until`` is a moment of the monotonic clock, None for no limit. For what is not the caller's
    own: it outlasts the block, or cleans up behind it. One may be entered again.
    """

    __slots__ = ("_token", "_until")

    def __init__(self, until: float | None) -> None:
        self._until = until
        self._token: Token[float | None] | None = None

    def __enter__(self) -> Self:
        self._token = _until.set(self._until)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _until.reset(self._token)
            self._token = None


def outside() -> Context:
    """Return a context like the present one, without limits: for tasks that outlast the block."""
    context = copy_context()
    context.run(_until.set, None)
    return context


def time_left(timeout_s: float | None) -> float | None:
    """Return the smaller of ``timeout_s`` and what the blocks leave; 0 or less where that is over.

    None is no limit.
    """
    until = _until.get()
    if until is None:
        return timeout_s
    left = until - monotonic()
    return left if timeout_s is None else min(left, timeout_s)
