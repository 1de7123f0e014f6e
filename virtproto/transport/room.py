"""How streams fit into sockets: how much one holds for a busy daemon, and in what pieces.

Responsible for the one socket option, and for when copying pays. Must not know who sends.
"""

from __future__ import annotations

from _socket import SO_SNDBUF, SOL_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class HasRoom(Protocol):
        """A socket, or what asyncio shows of one."""

        def getsockopt(self, level: int, option: int, /) -> int:
            """Return an option's value."""

        def setsockopt(self, level: int, option: int, value: int, /) -> None:
            """Set an option."""


__all__ = ["LARGE", "joined", "widen"]

# From this size on a packet of a stream is large: what copying it costs is felt.
LARGE = 16384
# Enough for a few packets, so that both ends wake up less often.
_ROOM = 1 << 20


def widen(sock: HasRoom) -> None:
    """Have a socket hold more of what is sent; the system may give less than asked for."""
    if sock.getsockopt(SOL_SOCKET, SO_SNDBUF) < _ROOM:
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, _ROOM)


def joined(chunks: Sequence[bytes]) -> Sequence[bytes]:
    """Return what is to be written: in one piece, unless that costs more than writing twice."""
    return chunks if len(chunks) == 1 or len(chunks[-1]) >= LARGE else (b"".join(chunks),)
