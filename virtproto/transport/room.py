"""How streams fit into sockets and memory: how much one holds for a busy daemon, in what pieces.

Responsible for the one socket option, for when copying pays, and for what the memory of large
packets costs. Must not know who sends.
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


__all__ = ["LARGE", "joined", "keep_memory", "widen"]

# From this size on a packet of a stream is large: what copying it costs is felt.
LARGE = 16384
# Enough for a few packets, so that both ends wake up less often.
_ROOM = 1 << 20
# Twice that stays with the process. It is more than a stream's packets take while somebody reads.
_KEPT = 1 << 20


def widen(sock: HasRoom) -> None:
    """Have a socket hold more of what is sent; the system may give less than asked for."""
    if sock.getsockopt(SOL_SOCKET, SO_SNDBUF) < _ROOM:
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, _ROOM)


def keep_memory() -> None:
    """Have the process keep the memory of large packets from one to the next.

    glibc's malloc gives what is freed back to the system at once, and the next packet then costs a
    page fault for every 4 KiB, which is more than reading it. From the largest piece of memory that
    was ever freed it learns better; this one is never touched, and costs two system calls.
    """
    bytes(_KEPT)


def joined(chunks: Sequence[bytes]) -> Sequence[bytes]:
    """Return what is to be written: in one piece, unless that costs more than writing twice."""
    return chunks if len(chunks) == 1 or len(chunks[-1]) >= LARGE else (b"".join(chunks),)
