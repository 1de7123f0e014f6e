"""Keepalive: noticing that the peer is gone while nothing is said.

Responsible for: the two messages and the count of unanswered pings. Must not know the clock: every
time is an argument, in seconds of any clock that does not jump.

After ``interval_s`` without a packet from the peer a ping is due; after ``count`` pings in a row
and one more interval the peer is dead, that is interval_s * (count + 1) after its last packet. Any
packet starts this anew, not only a pong.

Source: virkeepalive.c, virkeepaliveprotocol.x.
"""

from __future__ import annotations

from virtproto.errors import UsageError
from virtproto.protocol.framing import pack_packet
from virtproto.wire.keepalive import PING, PONG, PROGRAM, VERSION
from virtproto.wire.rpc import MESSAGE_STATUS_OK, MESSAGE_TYPE_MESSAGE

__all__ = ["KeepAlive", "PING_PACKET", "PONG_PACKET", "WAIT", "SEND_PING", "PEER_DEAD"]

PING_PACKET = pack_packet(PROGRAM, VERSION, PING, MESSAGE_TYPE_MESSAGE, 0, MESSAGE_STATUS_OK)
PONG_PACKET = pack_packet(PROGRAM, VERSION, PONG, MESSAGE_TYPE_MESSAGE, 0, MESSAGE_STATUS_OK)

# What `KeepAlive.tick` asks for.
WAIT = "wait"
SEND_PING = "send ping"
PEER_DEAD = "peer dead"


class KeepAlive:
    """The timer of one side: when to ping, when to give up.

    ``interval_s`` is positive seconds, ``count`` the pings that may go unanswered; with 0 the peer
    is dead after one silent interval and is never pinged. Raises UsageError for other values.
    """

    __slots__ = ("_left", "_since", "count", "interval_s")

    def __init__(self, interval_s: float, count: int, now: float) -> None:
        if not 0 < interval_s < float("inf"):
            raise UsageError(f"keepalive interval {interval_s!r}: it must be a positive number")
        if count < 0:
            raise UsageError(f"keepalive count {count!r}: it must not be negative")
        self.interval_s = interval_s
        self.count = count
        # Start of the interval that is running, and pings that may still be sent.
        self._since = now
        self._left = count

    def packet_received(self, now: float) -> None:
        """Note that the peer lives."""
        self._since = now
        self._left = self.count

    def next_deadline(self) -> float:
        """Return the time at which `tick` will have something to do."""
        return self._since + self.interval_s

    def tick(self, now: float) -> str:
        """Return WAIT, SEND_PING or PEER_DEAD.

        A tick that comes late counts as one: a process that was suspended does not conclude that
        its peer is dead before it has asked.
        """
        if now < self.next_deadline():
            return WAIT
        if self._left == 0:
            return PEER_DEAD
        self._left -= 1
        self._since = now
        return SEND_PING
