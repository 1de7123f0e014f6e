"""The end of a channel, and its beginning: who is told, and what is closed.

Responsible for making the socket, and for what is done once when a connection ends. A friend of
`channel`: it uses the channel's inside. Must not know why it ends.
"""

from __future__ import annotations

import asyncio
import contextlib

# Not socket's: what it adds to a socket is not used here, and takes room and time for each.
from _socket import AF_UNIX, SOCK_STREAM, socket

from virtproto.model.replies import (
    CLOSED_HERE,
    close_reason,
    closed_during,
    lost,
    lost_by,
)
from virtproto.transport.unix import connect_error, connect_limit, socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.model.endpoint import UnixEndpoint
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["connected_socket", "end", "free"]

# Pause between attempts to connect to a daemon that is too busy to accept.
_RETRY_S = 0.01


async def connected_socket(endpoint: UnixEndpoint, timeout_s: float | None) -> socket:
    """Return a socket of this loop's, connected. Raises as ``transport.unix.connect`` does."""
    loop = asyncio.get_running_loop()
    address = socket_address(endpoint.path)
    timeout_s = connect_limit(endpoint, timeout_s)
    deadline = None if timeout_s is None else loop.time() + timeout_s
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(address)
                break
            except BlockingIOError:
                # The queue of the listening socket is full, and there is no way to wait on it.
                if deadline is not None and loop.time() >= deadline:
                    raise
                await asyncio.sleep(_RETRY_S)
    except OSError as exc:
        sock.close()
        raise connect_error(endpoint, exc, timeout_s) from exc
    except BaseException:
        sock.close()
        raise
    return sock


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


def free(channel: Channel) -> None:
    """Close the socket without the event loop, which has ended."""
    channel._closed = CLOSED_HERE
    channel._session.close()
    channel._waiting.clear()
    for stream in channel._streams.values():
        stream.inbox.fail(closed_during(stream.procedure))
    channel._sock.close()
    if channel._passage is not None:
        channel._passage.leave_to_parent()
    with contextlib.suppress(AttributeError):
        # asyncio's transport cannot be closed without its loop, and would warn of it.
        channel._transport._sock = None  # type: ignore[union-attr]
