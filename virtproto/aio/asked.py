"""A question whose answer is not lost when who waits for it gives up.

For calls that change what the daemon keeps for this connection, where the answer tells how to undo
it. Must not know what is asked. Does in an event loop what its namesake does for threads.
"""

from __future__ import annotations

import asyncio

from virtproto.model.replies import late, unsent
from virtproto.transport.deadline import outside, time_left

from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.procedure import Procedure

__all__ = ["Asked"]


class Asked:
    """One call, made once, whose reply may be waited for more than once."""

    def __init__(self, channel: Channel, procedure: Procedure[Any, Any], args: bytes) -> None:
        self._channel = channel
        self._procedure = procedure
        self._args = args
        self._call: asyncio.Task[bytes] | None = None

    async def answer(self, timeout_s: float | None) -> bytes:
        """Make the call unless it was made, and return the payload of its reply.

        Raises as the channel's ``call`` does. After DeadlineError, or an exception that has nothing
        to do with the call, it can be waited for again.
        """
        timeout_s = time_left(timeout_s)
        if self._call is None:
            if timeout_s is not None and timeout_s <= 0:
                raise unsent(self._procedure, timeout_s)
            # On this channel alone: another one, in its place, is asked for everything anew.
            asked = Channel.call(self._channel, self._procedure, self._args)
            # The call outlasts the limits of who asks first.
            self._call = asyncio.get_running_loop().create_task(asked, context=outside())
            self._call.add_done_callback(_look)
        # Unlike the call's own end, the end of this wait gives nothing up.
        done, _ = await asyncio.wait((self._call,), timeout=timeout_s)
        if not done:
            raise late(self._procedure, timeout_s)
        return self._call.result()


def _look(call: asyncio.Task[bytes]) -> None:
    """Take note of what a call failed with that nobody waits for any more."""
    if not call.cancelled():
        call.exception()
