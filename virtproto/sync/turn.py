"""Whose turn it is to change what the daemon is asked to send.

Responsible for one at a time, in the time that whoever waits has. Must not know what is changed.
Does for threads what its namesake does for tasks.
"""

from __future__ import annotations

from _thread import RLock
from time import monotonic
from weakref import ref

from virtproto.model.replies import late_for_turn
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .registering import RegisteringCalls

__all__ = ["Turn"]

# Who waits looks again so often: locks do not take any number of seconds.
_LOOK_AGAIN_S = 3600.0


class Turn(RLock):  # type: ignore[misc]
    """Held, by ``with``, while registrations change. Raises DeadlineError when time is up.

    It is given back by the lock's own method, which no signal handler interrupts. A handler that
    interrupts who has it does not get it, and does not wait: DeadlineError at once.
    """

    def __init__(self, connection: RegisteringCalls) -> None:
        self._connection = ref(connection)

    def __new__(cls, connection: RegisteringCalls) -> Turn:
        """Make a lock, which takes no arguments."""
        return super().__new__(cls)

    def __enter__(self) -> bool:  # type: ignore[override]
        """Wait for the turn, for as long as a call of the connection's may take."""
        # In one C call with its taking, lest a signal handler's exception comes between the two.
        got: list[bool] = []
        try:
            if self._is_owned():  # type: ignore[attr-defined]
                raise late_for_turn(None)
            got.extend(map(self.acquire, (False,)))
            if True not in got:
                self._wait(got)
        except BaseException:
            if True in got:
                self.release()
            raise
        return True

    def _wait(self, got: list[bool]) -> None:
        connection = self._connection()
        limit_s = time_left(None if connection is None else connection._call_timeout_s)
        until = None if limit_s is None else monotonic() + limit_s
        while True not in got:
            left_s = _LOOK_AGAIN_S if until is None else min(_LOOK_AGAIN_S, until - monotonic())
            if left_s <= 0:
                raise late_for_turn(limit_s)
            got.extend(map(self.acquire, (True,), (left_s,)))
