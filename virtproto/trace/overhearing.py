"""What a connection of this process sends and receives, as messages: for ``open(uri, trace=...)``.

Responsible for cutting the bytes of one conversation, as they come and without protection, into
packets, and for following them. Must not know where the bytes come from, who is told, or the time.

A signal may tear this midway. Then the direction that it was at is taken up again where a packet is
known to begin, and what came up to there is not told.
"""

from __future__ import annotations

from itertools import count

from virtproto.protocol.framing import HEADER, Packet, PacketReader
from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.following import Follower
from virtproto.trace.telling import Begin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage

__all__ = ["Overhearing"]

# Of all conversations of this process that are traced.
_numbers = count(1)


class _Direction:
    """What one of the two ends says."""

    __slots__ = ("at_work", "offset", "reader")

    def __init__(self, carries_descriptors: bool) -> None:
        self.reader = PacketReader(fd_passing=carries_descriptors)
        # True while bytes are being taken in.
        self.at_work = False
        # Of the packet that comes next.
        self.offset = 0


class Overhearing:
    """The messages of one connection, which is a conversation of its own."""

    def __init__(self, *, carries_descriptors: bool) -> None:
        self._carries_descriptors = carries_descriptors
        self._follower = Follower(next(_numbers))
        # By whether it is the client's.
        self._directions = [_Direction(carries_descriptors), _Direction(carries_descriptors)]

    def begin(self, time_s: float, **about: str) -> Begin:
        """Return what tells that the conversation begins; ``about`` is what is known of it."""
        return Begin(self._follower.conversation, time_s, dict(about))

    def came(self, data: bytes, time_s: float, *, begins: bool) -> list[TracedMessage]:
        """Return the messages that are complete with ``data``, the next bytes of the daemon's.

        ``begins`` tells whether a packet is known to begin there. Carriers of descriptors are among
        the bytes.
        """
        return self._take(data, time_s, from_client=False, begins=begins)

    def sent(self, data: bytes, time_s: float, *, left_out: int = 0) -> list[TracedMessage]:
        """Return the messages that ``data``, which are whole packets, are. Carriers are left out.

        ``left_out`` is for one packet whose last bytes are not at hand: how many they are.
        """
        if left_out:
            _, program, version, procedure, kind, serial, status = HEADER.unpack_from(data)
            payload = data[PACKET_MIN:]
            packet = Packet(program, version, procedure, kind, serial, status, payload)
            return [self._follow(packet, time_s, from_client=True, left_out=left_out)]
        return self._take(data, time_s, from_client=True, begins=True)

    def _take(
        self, data: bytes, time_s: float, *, from_client: bool, begins: bool
    ) -> list[TracedMessage]:
        direction = self._directions[from_client]
        if direction.at_work or direction.reader.error is not None:
            if not begins:
                return []
            direction.reader = PacketReader(fd_passing=self._carries_descriptors)
        direction.at_work = True
        reader = direction.reader
        reader.feed(data)
        messages = []
        while True:
            packet = reader.next_packet()
            if packet is None:
                if not from_client or not reader.fds_expected:
                    break
                # They leave beside the bytes.
                reader.feed(bytes(reader.fds_expected))
            else:
                messages.append(self._follow(packet, time_s, from_client=from_client))
        direction.at_work = False
        return messages

    def _follow(
        self, packet: Packet, time_s: float, *, from_client: bool, left_out: int = 0
    ) -> TracedMessage:
        direction = self._directions[from_client]
        message = self._follower.follow(
            packet,
            from_client=from_client,
            time_s=time_s,
            offset=direction.offset,
            left_out=left_out,
        )
        direction.offset += message.size + (packet.nfds or 0)
        return message
