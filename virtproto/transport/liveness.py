"""What can be told of a socket's other end without reading what it sent.

Responsible for asking the system. Must not know why nothing is read.
"""

from __future__ import annotations

import select
from fcntl import ioctl
from struct import Struct
from termios import TIOCOUTQ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class HasDescriptor(Protocol):
        """A socket, or what stands for one."""

        def fileno(self) -> int:
            """Return its descriptor."""


__all__ = ["has_hung_up", "has_taken_all"]

_INT = Struct("@i")
_ENDED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def has_hung_up(sock: HasDescriptor) -> bool:
    """Return whether nothing will come beyond what came already."""
    poll = select.poll()
    poll.register(sock, _ENDED)
    return bool(poll.poll(0))


def has_taken_all(sock: HasDescriptor) -> bool:
    """Return whether all that was sent was read; also where the system does not tell.

    A unix socket counts what its peer has not read, TCP what its peer's system has not confirmed.
    """
    try:
        counted = ioctl(sock, TIOCOUTQ, _INT.pack(0))
    except OSError:
        return True
    return bool(_INT.unpack(counted)[0] == 0)
