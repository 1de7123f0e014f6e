"""The other end of an asyncio channel, in the same loop, which does only what it is told.

Responsible for a channel over a pair of sockets and for the packets that come out of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from virtproto.aio.channel import Channel
from virtproto.protocol.framing import Packet, PacketReader, pack_packet
from virtproto.transport.descriptors import carrier_of
from virtproto.transport.road import Road
from virtproto.wire.rpc import MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS

__all__ = ["Peer", "channel_and_peer"]

_CHUNK = 1 << 20


class Peer:
    """A daemon's end of a connection, that reads and writes when a test says so."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = PacketReader(fd_passing=True)

    async def packets(self, count: int) -> list[Packet]:
        """Return the next so many packets; waits for them."""
        found: list[Packet] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                packet = self._reader.next_packet()
                if packet is not None:
                    found.append(packet)
                    continue
                data = await asyncio.get_running_loop().sock_recv(self.sock, _CHUNK)
                assert data, "the channel has ended"
                self._reader.feed(data)
        return found

    def has_nothing(self) -> bool:
        """Whether nothing has come that was not asked for."""
        if self._reader.next_packet() is not None:
            return False
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False

    def answer(self, call: Packet, payload: bytes = b"", nfds: int | None = None) -> None:
        """Answer a call; descriptors that are announced are still to be sent."""
        kind = MESSAGE_TYPE_REPLY if nfds is None else MESSAGE_TYPE_REPLY_WITH_FDS
        answer = pack_packet(
            call.program, call.version, call.procedure, kind, call.serial, 0, payload, nfds
        )
        self.sock.sendall(answer)

    def send_fd(self, fd: int) -> None:
        """Send one descriptor."""
        self.sock.sendmsg(*carrier_of(fd))


@contextlib.asynccontextmanager
async def channel_and_peer() -> AsyncIterator[tuple[Channel, Peer]]:
    """Give a channel and its other end."""
    loop = asyncio.get_running_loop()
    ours, other = socket.socketpair()
    with other:
        ours.setblocking(False)
        other.setblocking(False)
        _, channel = await loop.create_connection(
            lambda: Channel(loop, Road(ours, "a pair")), sock=ours
        )
        try:
            yield channel, Peer(other)
        finally:
            await channel.close()
