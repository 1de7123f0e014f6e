"""What arrives on a blocking connection: from the socket to whoever waits for it.

Responsible for what the leader does: reading, giving the core what came, and handing out what the
core makes of it. A friend of `channel`, whose head says what holds. Must not know who leads, or how
threads wait.
"""

from __future__ import annotations

from _socket import MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_WAITALL, SO_RCVTIMEO, SOL_SOCKET
from time import monotonic

from virtproto.model.replies import CLOSED_BY_DAEMON, why_broken
from virtproto.protocol.events import (
    CallFailed,
    EventReceived,
    FdsUnclaimed,
    PeerClosed,
    ReplyReceived,
    SessionFailed,
    StreamDataReceived,
)
from virtproto.protocol.limits import PACKET_MIN
from virtproto.transport.unix import pack_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtproto.protocol.events import Event

    from .channel import Channel
    from .waiting import Waiter

__all__ = ["digest", "read_at_once", "read_for"]

# A larger read would make malloc map and unmap memory for each one.
_READ_SIZE = 65536
_SIZES = (_READ_SIZE,)
# Behind a large packet comes, from a volume, one of 24 bytes and the next large one's header, not
# always at once. Where no more than that is read, its payload comes in one piece, which is not
# copied. By how many reads between packets are still to be small.
_READ_SIZES = (_READ_SIZE, PACKET_MIN, PACKET_MIN, 3 * PACKET_MIN - 4)
# The rest of a large packet is read in pieces of up to this size.
_LARGE_READ_SIZE = 1 << 20
# What answers calls. A union made anew for each event would cost more than looking.
_ANSWERS = (ReplyReceived, CallFailed)
# Room for the descriptors that come with a read: 32 of them, as the kernel counts. It is a constant
# because what computes it (`virtproto.transport.descriptors`) is loaded when one comes.
_ROOM = (144,)
_FLAGS = (MSG_CMSG_CLOEXEC,)
# The rest of a packet comes in pieces; nobody can do anything with one of them.
_FLAGS_FOR_ALL = (MSG_CMSG_CLOEXEC | MSG_WAITALL,)
_FLAGS_AT_ONCE = (MSG_CMSG_CLOEXEC | MSG_DONTWAIT,)


def read_for(
    channel: Channel, waiter: Waiter, deadline: float | None, limit_s: float | None
) -> None:
    """Read for everybody until ``waiter``, who leads, was told something.

    ``limit_s`` is what is left until ``deadline``. Raises BlockingIOError when time is up.
    """
    inbox = channel._inbox
    while True:
        try:
            if inbox:
                # An interrupted call left it.
                pass
            elif channel._outgoing:
                from .sending import read_or_send

                read_or_send(channel, limit_s)
            else:
                if limit_s != channel._limit_s:
                    _limit(channel, limit_s)
                sizes, flags = _SIZES, _FLAGS
                if not channel._between_packets or channel._small_reads:
                    flags = flags if channel._between_packets else _FLAGS_FOR_ALL
                    sizes = (_read_size(channel),)
                inbox.extend(map(channel._sock.recvmsg, sizes, _ROOM, flags))
        except BlockingIOError:
            raise
        except OSError as error:
            with channel._lock:
                channel._lose(why_broken(error))
                channel._tell_end(waiter)
            return
        with channel._lock:
            digest(channel, waiter)
        if waiter.answer is not None:
            return
        if deadline is not None:
            limit_s = deadline - monotonic()


def read_at_once(channel: Channel) -> bool:
    """Read what is there; return whether there was anything. For who leads.

    A socket that broke is a connection that has ended.
    """
    try:
        size = (_read_size(channel),)
        channel._inbox.extend(map(channel._sock.recvmsg, size, _ROOM, _FLAGS_AT_ONCE))
    except BlockingIOError:
        return False
    except OSError as error:
        with channel._lock:
            channel._lose(why_broken(error))
        return False
    return True


def _read_size(channel: Channel) -> int:
    if channel._between_packets:
        small = channel._small_reads
        if not small:
            return _READ_SIZE
        channel._small_reads = small - 1
        return _READ_SIZES[small]
    wanted = channel._session.bytes_wanted or _READ_SIZE
    if wanted > _READ_SIZE:
        channel._small_reads = len(_READ_SIZES) - 1
    return min(wanted, _LARGE_READ_SIZE)


def _limit(channel: Channel, seconds: float | None) -> None:
    """Set how long a read may block; less than nothing means: not at all."""
    channel._limit_s = seconds
    channel._sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack_timeout(seconds))


def digest(channel: Channel, waiter: Waiter) -> None:
    """Give the core what was read, and everybody what is his. For who leads and has the lock."""
    if not channel._settled:
        channel._lose_torn()
    inbox = channel._inbox
    if channel._ended:
        inbox.clear()
        channel._tell_end(waiter)
    if not inbox:
        return
    session, (data, ancillary, _, _) = channel._session, inbox[0]
    try:
        channel._settled, found = False, None
        inbox.clear()
        if ancillary:
            _keep_descriptors(channel, ancillary)
        if data and waiter.serial >= 0:
            now = monotonic() if channel._timed else None
            found = session.receive_reply(waiter.serial, data, now)
        if found is not None:
            # The short way leaves the core between packets; the other need not.
            waiter.answer = found
            del channel._waiting[waiter.serial]
        else:
            _hand_out(channel, waiter, data)
        channel._taking = True
        chunks = session.data_to_send()
        if chunks:
            _take_along(channel, chunks)
        channel._taking = False
        channel._settled = True
    except BaseException:
        from .mending import mend_digest

        mend_digest(channel, data)
        raise
    if channel._outgoing and not channel._ended:
        from .sending import push

        push(channel)


def _take_along(channel: Channel, chunks: Sequence[bytes]) -> None:
    from .sending import take

    take(channel, chunks)


def _keep_descriptors(channel: Channel, ancillary: list[tuple[int, int, bytes]]) -> None:
    from .descriptors import collect

    collect(channel, ancillary)


def _hand_out(channel: Channel, waiter: Waiter, data: bytes) -> None:
    """Give everybody what is his. What a caller read the core has by now."""
    session = channel._session
    if not data:
        session.receive_eof()
    elif waiter.serial < 0:
        session.receive_data(data, monotonic() if channel._timed else None)
    channel._between_packets = session.bytes_wanted == PACKET_MIN
    for event in session.events_received():
        _deliver(channel, event)
    if channel._fds and not session.fds_expected:
        # Nothing announced them.
        from .descriptors import drop_collected

        drop_collected(channel)


def _deliver(channel: Channel, event: Event) -> None:
    # What comes by the thousand first.
    if type(event) is EventReceived:
        if channel._listener is not None:
            channel._listener.deliver(event)
    elif type(event) is StreamDataReceived:
        _deliver_to_stream(channel, event.serial, event)
    elif isinstance(event, _ANSWERS):
        _deliver_reply(channel, event)
    elif isinstance(event, FdsUnclaimed):
        from .descriptors import drop_collected

        drop_collected(channel)
    elif isinstance(event, SessionFailed):
        channel._lose(f"it failed: {event.error}", event.error)
    elif isinstance(event, PeerClosed):
        channel._lose(CLOSED_BY_DAEMON, None, event.bytes_held)
    else:
        _deliver_to_stream(channel, event.serial, event)  # type: ignore[attr-defined]


def _deliver_to_stream(channel: Channel, serial: int, event: Event) -> None:
    stream = channel._streams.get(serial)
    if stream is not None:
        stream.deliver(event)


def _deliver_reply(channel: Channel, reply: ReplyReceived | CallFailed) -> None:
    serial = reply.serial
    waiter = channel._waiting.get(serial)
    if isinstance(reply, ReplyReceived) and reply.nfds:
        from .descriptors import give_collected

        give_collected(channel, waiter)
    if waiter is not None:
        # In this order: torn in between, it was told, or `mend_digest` finds it.
        waiter.answer = reply
        waiter.wake()
        del channel._waiting[serial]
        return
    # That of a call that was given up while it was on the way, or a registration's.
    _deliver_to_stream(channel, serial, reply)
