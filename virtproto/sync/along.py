"""A question that leaves together with the call behind it, which need not wait for its answer.

Responsible for saving opening a connection one round trip. A friend of `channel`: it uses the
channel's inside. Must not know what is asked. Does for threads what its namesake does in an event
loop.
"""

from __future__ import annotations

from time import monotonic

from virtproto.model.replies import payload_of
from virtproto.transport.deadline import time_left

from .sending import take
from .waiting import Waiter, hand_on, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["Along"]


class Along:
    """One question on its way; for a channel that is closed if what is asked with it fails."""

    __slots__ = ("_channel", "_procedure", "_waiter")

    def __init__(self, channel: Channel, procedure: Procedure[Any, Any], args: bytes) -> None:
        """Queue the question behind what is queued; the next call sends it too."""
        self._channel = channel
        self._procedure = procedure
        self._waiter = waiter = Waiter(procedure)
        with channel._lock:
            channel._require_open()
            # Torn from here on, nothing more is to be said on the channel.
            channel._settled = False
            target = procedure.program, procedure.version, procedure.number
            long, urgent = procedure.long, procedure.urgent
            waiter.serial = channel._session.send_call(*target, args, long=long, urgent=urgent)
            channel._waiting[waiter.serial] = waiter
            take(channel)
            channel._settled = True

    def answer(self, timeout_s: float | None) -> bytes:
        """Return the payload of the reply. Raises as the channel's ``call`` does."""
        channel, waiter = self._channel, self._waiter
        timeout_s = time_left(timeout_s)
        deadline = None if timeout_s is None else monotonic() + timeout_s
        try:
            wait(channel, waiter, deadline, timeout_s)
        except BaseException as failure:
            from .mending import end_without_reply

            if end_without_reply(channel, waiter, failure, timeout_s):
                raise
        finally:
            if channel._lead is waiter:
                channel._lead = None
            hand_on(channel)
        return payload_of(self._procedure, waiter.answer)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Do without the answer, as what was asked with it has failed."""
