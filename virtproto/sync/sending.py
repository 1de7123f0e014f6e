"""What is on its way out of a connection: packets in order, and who sends what the socket refused.

Responsible for packets from the core to the socket, for taking back those of calls that were given
up, and for reading meanwhile: else both ends might wait for the other to read. A friend of
`channel`, whose head says what holds. Must not know what a packet is for.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, MSG_NOSIGNAL
from select import POLLIN, POLLOUT, poll
from time import monotonic

from virtproto.errors import VirtprotoError
from virtproto.model.replies import why_broken
from virtproto.transport.deadline import time_left
from virtproto.wire.rpc import MESSAGE_TYPE_CALL, MESSAGE_TYPE_CALL_WITH_FDS

from .reading import digest, read_at_once
from .waiting import Waiter, hand_on, milliseconds, seize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from virtproto.protocol.client import ClientSession

    from .channel import Channel, Parcel
    from .packets import LargePacket

__all__ = [
    "heed",
    "parcels_of",
    "push",
    "read_or_send",
    "send_while_another_reads",
    "take",
    "take_back",
]

_TRY_AGAIN_S = 0.05
_CALLS = (MESSAGE_TYPE_CALL, MESSAGE_TYPE_CALL_WITH_FDS)


def parcels_of(chunks: Sequence[Any]) -> list[Parcel]:
    """Return the packets that the core queued, each with the serial of its call or -1."""
    parcels: list[Parcel] = []
    at = 0
    while at < len(chunks):
        first = chunks[at]
        parts, missing = [first], int.from_bytes(first[:4], "big") - len(first)
        at += 1
        while missing > 0:
            parts.append(chunks[at])
            missing -= len(chunks[at])
            at += 1
        kind, serial = (int.from_bytes(first[start : start + 4], "big") for start in (16, 20))
        data: bytes | LargePacket
        if len(parts) == 2 and type(parts[1]) is not bytes:
            from .packets import LargePacket

            data = LargePacket(first, parts[1])
        else:
            data = first if len(parts) == 1 else b"".join(parts)
        parcels.append((data, [], serial if kind in _CALLS else -1))
    return parcels


def take(channel: Channel, chunks: Sequence[bytes] | None = None) -> None:
    """Take what the core wants sent; ``chunks`` is the first of it. The caller has the lock."""
    session = channel._session
    channel._taking = True
    if chunks is None:
        chunks = session.data_to_send()
    while chunks:
        channel._outgoing += parcels_of(chunks)
        # The core stops behind each packet that descriptors follow.
        chunks = session.data_to_send() if session.fds_due else ()
    channel._taking = False


def push(channel: Channel) -> bool:
    """Send what the socket takes at once; return whether that was all. The caller has the lock.

    Does not raise for a socket that broke: the connection is lost then, and everybody told.
    """
    outgoing = channel._outgoing
    while outgoing:
        data, counts, serial = outgoing[0]
        done = sum(counts)
        try:
            if done < len(data):
                if isinstance(data, bytes):
                    rest = memoryview(data)[done:]
                    counts.extend(map(channel._sock.send, (rest,), (MSG_NOSIGNAL | MSG_DONTWAIT,)))
                else:
                    data.send(channel._sock, done, counts)
                if sum(counts) < len(data):
                    continue
            if serial in channel._carriers:
                from .descriptors import send_carriers

                send_carriers(channel, serial)
        except BlockingIOError:
            return False
        except OSError as error:
            channel._lose(why_broken(error))
            return False
        del outgoing[0]
    return True


def take_back(channel: Channel, serial: int) -> bool:
    """Have a call's packet not sent, if nothing of it was yet. The caller has the lock."""
    for place, (_, counts, its_serial) in enumerate(channel._outgoing):
        if its_serial == serial and not counts:
            del channel._outgoing[place]
            channel._drop_carriers(serial)
            return True
    return False


def read_or_send(channel: Channel, left_s: float | None) -> None:
    """Wait until something can be read, which goes into the inbox, or something was sent.

    The caller leads. Raises BlockingIOError when time is up.
    """
    if left_s is not None and left_s <= 0:
        raise BlockingIOError
    ready = poll()
    ready.register(channel._sock, POLLIN | POLLOUT)
    found = ready.poll(milliseconds(left_s))
    if any(what & ~POLLOUT for _, what in found):
        read_at_once(channel)
    elif found:
        with channel._lock:
            if not channel._ended:
                push(channel)


def send_while_another_reads(channel: Channel, left_s: float) -> None:
    """Wait until the socket takes more, and send."""
    ready = poll()
    try:
        ready.register(channel._sock, POLLOUT)
    except (OSError, ValueError):
        # It is closed.
        return
    if ready.poll(milliseconds(left_s)):
        with channel._lock:
            if not channel._ended and channel._settled:
                push(channel)


def heed(
    channel: Channel,
    queue: Callable[[ClientSession], None],
    timeout_s: float | None = None,
    *,
    behind: bool = False,
) -> None:
    """Have the core queue something outside of any call, and send it.

    Raises what ``queue`` does, ConnectionLostError and ConnectionClosedError; BlockingIOError when
    the daemon does not take it within ``timeout_s``. What is queued by then leaves later; with
    ``behind`` it is queued even behind what has not left yet.
    """
    limit = time_left(timeout_s)
    if limit is not None and limit <= 0 and not behind:
        raise BlockingIOError
    deadline = None if limit is None else monotonic() + limit
    if channel._closed is not None:
        channel._require_open()
    if not behind and channel._outgoing:
        _send_out(channel, deadline)
    with channel._lock:
        channel._require_open()
        try:
            # Torn from the middle of it the core would send half a packet.
            channel._settled = False
            queue(channel._session)
            take(channel)
            channel._settled = True
        except VirtprotoError:
            channel._settled = True
            raise
        push(channel)
    if channel._outgoing or channel._ended:
        _send_out(channel, deadline)
    if channel._hearing is not None:
        # Nobody may read for long.
        channel._hearing.tell()


def _send_out(channel: Channel, deadline: float | None) -> None:
    """Send what is queued now, and read for everybody meanwhile unless another does."""
    queued = tuple(channel._outgoing)
    last = queued[-1] if queued else None
    sender = Waiter()
    try:
        while not channel._ended and any(each is last for each in tuple(channel._outgoing)):
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                raise BlockingIOError
            if channel._lead is sender or (channel._lead is None and seize(channel, sender)):
                read_or_send(channel, left)
                if channel._inbox:
                    with channel._lock:
                        digest(channel, sender)
            else:
                left = _TRY_AGAIN_S if left is None else min(left, _TRY_AGAIN_S)
                send_while_another_reads(channel, left)
    finally:
        if channel._lead is sender:
            channel._lead = None
        if channel._lead is None:
            hand_on(channel)
    if channel._ended:
        from .ending import end_of_call

        raise end_of_call(channel, Waiter())
