"""A question whose answer is not lost when who waits for it gives up.

For calls that change what the daemon keeps for this connection, where the answer tells how to undo
it. Must not know what is asked. Does for threads what its namesake does in an event loop.
"""

from __future__ import annotations

from time import monotonic

from virtproto.model.replies import late, payload_of, unsent
from virtproto.protocol.events import CallFailed, ReplyReceived
from virtproto.transport.deadline import time_left

from .sending import heed
from .traffic import StreamEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.protocol.client import ClientSession
    from virtproto.protocol.events import Event
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["Asked"]


class Asked(StreamEnd):
    """One call, made once, whose reply may be waited for more than once.

    For the channel it is a stream that brings nothing but the reply.
    """

    def __init__(self, channel: Channel, procedure: Procedure[Any, Any], args: bytes) -> None:
        super().__init__(procedure, sparse=False)
        self._args = args
        self._reply: ReplyReceived | CallFailed | None = None
        self.join(channel, None)

    def answer(self, timeout_s: float | None) -> bytes:
        """Make the call unless it was made, and return the payload of its reply.

        Raises as the channel's ``call`` does. After DeadlineError, or an exception that has nothing
        to do with the call, it can be waited for again.
        """
        timeout_s = time_left(timeout_s)
        deadline = None if timeout_s is None else monotonic() + timeout_s
        if self._serial < 0:
            try:
                heed(self._opened(), self._ask, timeout_s)
            except BlockingIOError:
                over = timeout_s is not None and timeout_s <= 0
                how = unsent if over else late
                raise how(self.procedure, timeout_s) from None
        left = None if deadline is None else deadline - monotonic()
        self.wait(lambda: self._reply is not None or self.inbox.error is not None, left)
        if self._reply is None:
            self.inbox.check()
        assert self._reply is not None
        return payload_of(self.procedure, self._reply)

    def _ask(self, session: ClientSession) -> None:
        procedure = self.procedure
        self._serial = serial = session.send_call(
            procedure.program,
            procedure.version,
            procedure.number,
            self._args,
            long=procedure.long,
            urgent=procedure.urgent,
        )
        self._opened()._streams[serial] = self

    def deliver(self, event: Event) -> None:
        """Take note of the reply, and wake who waits for it."""
        if isinstance(event, ReplyReceived | CallFailed):
            # In this order: torn in between, it is told, or `mend` finds it.
            self._reply = event
            self.forget()
            self._rouse()

    def mend(self, missed: ReplyReceived | None) -> None:
        """Take the reply where a signal kept it from being delivered.

        It does not come again, and what the daemon keeps from now on must not be forgotten.
        """
        reply = self._reply or missed
        if reply is not None:
            self.deliver(reply)
