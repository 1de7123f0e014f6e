"""The end of a channel: who is told, and what is closed.

Responsible for what is done once when a connection ends. A friend of `channel`: it uses the
channel's inside. Must not know why it ends.
"""

from __future__ import annotations

import contextlib

from virtproto.errors import UsageError
from virtproto.model.replies import (
    CLOSED_HERE,
    close_reason,
    closed_during,
    lost,
    lost_by,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["end", "free", "hear", "misplaced"]


def hear(channel: Channel, why: str, error: VirtprotoError | None, bytes_held: int) -> bool:
    """Have a connection that was lost end when its carrier's last words are known.

    They are waited for elsewhere, as this loop has other connections. Returns whether they are, or
    it is to end at once.
    """
    if why is CLOSED_HERE:
        return False
    if not channel._hearing:

        def told(_: object) -> None:
            if channel._closed is None:
                end(channel, channel._road.hear(why), error, bytes_held)

        try:
            hearing = channel._loop.run_in_executor(None, channel._road.hear, why)
        except RuntimeError:
            # The loop, or the interpreter, is about to end.
            return False
        channel._hearing = True
        hearing.add_done_callback(told)
    return True


def end(channel: Channel, why: str, error: VirtprotoError | None, bytes_held: int) -> None:
    """Make no more calls; fail those that wait, with ``error`` if there is one. Once."""
    channel._closed = why
    channel._session.close()
    channel._deadlines.stop()
    if channel._pulse is not None:
        channel._pulse.stop()
    for serial, (future, procedure, _, _) in channel._waiting.items():
        if not future.done():
            sent = not channel._session.is_held(serial)
            future.set_exception(_failure(procedure, why, error, bytes_held, sent))
    channel._waiting.clear()
    if channel._crowded:
        channel._read_on()
    channel._full = False
    channel._release_senders()
    if channel._streams or channel._passage is not None or channel._listener is not None:
        from .traffic import announce_end

        announce_end(channel, why, error)
    if channel._transport is not None:
        channel._transport.abort()
    if channel._road.carrier is not None:
        channel._road.carrier.end()
    function, channel._when_lost = channel._when_lost, None
    if function is not None and why is not CLOSED_HERE:
        function(why, error, close_reason(why, error))


def _failure(
    procedure: Procedure[Any, Any],
    why: str,
    error: VirtprotoError | None,
    bytes_held: int,
    sent: bool,
) -> VirtprotoError:
    """Return the error for a call that the end overtook; ``sent``: some of it may have been."""
    if error is not None:
        return lost_by(procedure, error, may_have_run=sent)
    if why is CLOSED_HERE:
        closed = closed_during(procedure)
        closed.may_have_run = sent
        return closed
    return lost(procedure, why, bytes_held, may_have_run=sent)


def misplaced(channel: Channel) -> UsageError:
    """Return the error for a use outside the channel's event loop."""
    if channel._loop.is_closed():
        return UsageError("the event loop that opened this connection has ended, and so has it")
    return UsageError("only the event loop that opened this connection can use it")


def free(channel: Channel) -> None:
    """Close the socket without the event loop, which has ended."""
    channel._closed = CLOSED_HERE
    channel._session.close()
    channel._waiting.clear()
    for stream in channel._streams.values():
        stream.inbox.fail(closed_during(stream.procedure))
    channel._road.leave()
    if channel._passage is not None:
        channel._passage.leave_to_parent()
    with contextlib.suppress(AttributeError):
        # asyncio's transport cannot be closed without its loop, and would warn of it.
        transport: Any = channel._transport
        getattr(transport, "below", transport)._sock = None
