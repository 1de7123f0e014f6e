"""A question that leaves together with the call behind it, which need not wait for its answer.

Responsible for saving opening a connection one round trip. A friend of `channel`: it uses the
channel's inside. Must not know what is asked. Does in an event loop what its namesake does for
threads.
"""

from __future__ import annotations

from virtproto.model.replies import payload_of
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from virtproto.xdr.procedure import Procedure

    from .channel import Answer, Channel

__all__ = ["Along"]


class Along:
    """One question on its way; for a channel that is closed if what is asked with it fails."""

    __slots__ = ("_channel", "_future", "_procedure", "_serial")

    def __init__(self, channel: Channel, procedure: Procedure[Any, Any], args: bytes) -> None:
        """Queue the question behind what is queued; the next call sends it too."""
        program, version, number = procedure.program, procedure.version, procedure.number
        long, urgent = procedure.long, procedure.urgent
        serial = channel._session.send_call(
            program, version, number, args, long=long, urgent=urgent
        )
        future: asyncio.Future[Answer] = channel._loop.create_future()
        channel._waiting[serial] = (future, procedure, None, None)
        self._channel = channel
        self._procedure = procedure
        self._serial = serial
        self._future = future

    async def answer(self, timeout_s: float | None) -> bytes:
        """Return the payload of the reply. Raises as the channel's ``call`` does."""
        future = self._future
        if not future.done():
            timeout_s = time_left(timeout_s)
            channel, serial = self._channel, self._serial
            try:
                if timeout_s is not None:
                    until = channel._deadlines.end_of(timeout_s)
                    channel._waiting[serial] = (future, self._procedure, until, timeout_s)
                await future
            finally:
                if channel._waiting.pop(serial, None) is not None:
                    channel._session.abandon_call(serial)
        return payload_of(self._procedure, future.result())

    def forget(self) -> None:
        """Do without the answer, as what was asked with it has failed."""
        self._channel._waiting.pop(self._serial, None)
        if self._future.done() and not self._future.cancelled():
            # Taken note of; asyncio would complain.
            self._future.exception()
