"""Whose turn it is to change what the daemon is asked to send.

Responsible for one at a time, in the time that whoever waits has. Must not know what is changed.
Does for tasks what its namesake does for threads.
"""

from __future__ import annotations

import asyncio
from weakref import ref

from virtproto.model.replies import late_for_turn
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .registering import RegisteringCalls

__all__ = ["Turn"]


class Turn(asyncio.Lock):
    """Held, by ``async with``, while registrations change. Raises DeadlineError when time is up."""

    def __init__(self, connection: RegisteringCalls) -> None:
        super().__init__()
        self._connection = ref(connection)

    async def __aenter__(self) -> None:
        """Wait for the turn, for as long as a call of the connection's may take."""
        connection = self._connection()
        limit_s = time_left(None if connection is None else connection._call_timeout_s)
        try:
            # What is free is taken at once, though no time be left.
            async with asyncio.timeout(None if limit_s is None else max(limit_s, 0)):
                await self.acquire()
        except TimeoutError:
            raise late_for_turn(limit_s) from None
