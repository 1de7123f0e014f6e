"""What is done about calls that end without their reply, and about what a signal tore.

Responsible for leaving the connection usable: packets that nobody wants sent are taken back, late
replies will be swallowed, and whoever lost something is told. A friend of `channel`, whose head
says what holds.
"""

from __future__ import annotations

from virtproto.model.replies import late, torn
from virtproto.protocol.events import CallFailed, ReplyReceived
from virtproto.protocol.limits import PACKET_MIN
from virtproto.wire.rpc import MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS

from .sending import push, take, take_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .channel import Channel
    from .waiting import Waiter

__all__ = ["end_without_reply", "mend_digest", "mend_sending"]


def end_without_reply(
    channel: Channel, waiter: Waiter, failure: BaseException, timeout_s: float | None
) -> bool:
    """Give up a call that ``failure`` ended; return whether that is to be raised.

    BlockingIOError is for a call whose time is up: raises DeadlineError, unless the reply came at
    the last moment.
    """
    held = channel._session.is_held(waiter.serial)
    _give_up(channel, waiter)
    if not isinstance(failure, BlockingIOError):
        return True
    if waiter.answer is None:
        limit = channel._session.long_calls
        raise late(waiter.procedure, timeout_s, held_by=limit if held else None) from None
    return False


def _give_up(channel: Channel, waiter: Waiter) -> None:
    """Tidy up after a call that ends without its reply."""
    serial = waiter.serial
    with channel._lock:
        channel._waiting.pop(serial, None)
        if serial < 0 or waiter.answer is not None or channel._ended or not channel._settled:
            return
        channel._settled = False
        session = channel._session
        if take_back(channel, serial):
            # The daemon must not get it with the next call.
            session.withdraw_call(serial)
        else:
            if session.is_held(serial):
                channel._drop_carriers(serial)
            session.abandon_call(serial)
        take(channel)
        channel._settled = True
        push(channel)


def mend_sending(channel: Channel, waiter: Waiter) -> None:
    """Forget a call that a signal tore while it was queued: nothing of it has left.

    The caller has the lock.
    """
    session = channel._session
    while session.data_to_send():
        pass
    channel._waiting.pop(waiter.serial, None)
    if waiter.special is not None:
        waiter.special.forget()
    for serial in session.unanswered - channel._waiting.keys() - channel._streams.keys():
        take_back(channel, serial)
        channel._drop_carriers(serial)
        session.withdraw_call(serial)
    # That may have let another go.
    take(channel)
    waiter.serial = -1
    channel._settled = True


def mend_digest(channel: Channel, data: bytes) -> None:
    """Find out what was lost when a signal came while ``data`` was taken in, and say so.

    Only where the core stands between packets does the channel count as settled afterwards. The
    caller has the lock.
    """
    channel._inbox.clear()
    if channel._ended:
        return
    whole = not channel._taking and _taken_whole(channel, data)
    # Whether the core came to see them or not, these answers do not come again.
    replies = _replies_in(data) if whole else {}
    for serial, stream in tuple(channel._streams.items()):
        stream.mend(replies.get(serial))
    for serial in replies:
        channel._session.withdraw_call(serial)
    unanswered = channel._session.unanswered
    for serial, waiter in tuple(channel._waiting.items()):
        if waiter.answer is None and serial not in unanswered:
            waiter.answer = CallFailed(serial, torn(waiter.procedure))
        if waiter.answer is not None:
            waiter.wake()
            del channel._waiting[serial]
    if channel._fds:
        from .descriptors import drop_collected

        drop_collected(channel)
    if whole:
        take(channel)
        channel._between_packets = True
    channel._settled = whole


def _taken_whole(channel: Channel, data: bytes) -> bool:
    """Return whether the core is between packets although it was torn from taking ``data``.

    It is, if it was before and ``data`` is whole packets: then at most what they held is lost.
    """
    end = 0
    while end < len(data):
        length = int.from_bytes(data[end : end + 4], "big")
        if length < PACKET_MIN:
            return False
        end += length
    if end != len(data) or not channel._between_packets:
        return False
    session = channel._session
    # Has it cut what it was fed, if it was fed.
    session.receive_data(b"")
    session.events_received()
    return session.bytes_wanted == PACKET_MIN


def _replies_in(data: bytes) -> dict[int, ReplyReceived]:
    """Return the replies among whole packets, by serial."""
    replies = {}
    start = 0
    while start < len(data):
        length, kind, serial, status = (
            int.from_bytes(data[start + at : start + at + 4], "big") for at in (0, 16, 20, 24)
        )
        if kind in (MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS):
            payload = data[start + PACKET_MIN : start + length]
            replies[serial] = ReplyReceived(serial, status, payload)
        start += length
    return replies
