"""Packets whose payload is not copied: bytes that somebody else keeps, or a part of a file.

Responsible for sending what is left of such a packet without waiting. Must not know what a packet
is for, or who else sends.
"""

from __future__ import annotations

import os
from _socket import MSG_DONTWAIT, MSG_NOSIGNAL, SO_SNDBUF, SOL_SOCKET
from select import POLLOUT, poll

from .layered_socket import LayeredSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Buffer  # type: ignore[attr-defined]
    from typing import TypeAlias

    AnySocket: TypeAlias = socket | LayeredSocket
    # What follows the header of a large packet.
    Payload: TypeAlias = "Memory | FilePart"

__all__ = ["FilePart", "LargePacket", "Memory", "OpenFile"]

_FLAGS = (MSG_DONTWAIT | MSG_NOSIGNAL,)
_ZEROS = bytes(65536)


class OpenFile:
    """A descriptor of its own for a file, open as long as a packet takes something from it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = -1
        self.fd = os.dup(fd)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class FilePart:
    """A payload of ``size`` bytes that the system takes from a file, from ``start`` on.

    What the file does not have any more, or cannot be read, goes out as zeros: the packet has said
    its length. ``error`` tells of the latter.
    """

    __slots__ = ("_file", "_size", "_start", "error")

    def __init__(self, file: OpenFile, start: int, size: int) -> None:
        # Why the file could not be read, if so.
        self.error: OSError | None = None
        self._file = file
        self._start = start
        self._size = size

    def __len__(self) -> int:
        return self._size

    def send(self, sock: AnySocket, done: int, counts: list[int]) -> None:
        """Send what comes behind ``done`` bytes, at most what the socket has room for.

        Adds their number to ``counts``. Raises BlockingIOError where there is no room.
        """
        ready = poll()
        ready.register(sock, POLLOUT)
        # sendfile has no flag not to wait. A socket is ready when three quarters of its room are
        # free, so that half of it, and what the system adds, is taken at once.
        if not ready.poll(0):
            raise BlockingIOError
        count = min(self._size - done, sock.getsockopt(SOL_SOCKET, SO_SNDBUF) // 2)
        if isinstance(sock, LayeredSocket):
            # What the system would take from the file is not what has to travel.
            self._send_copied(sock, done, count, counts)
            return
        place = (sock.fileno(),), (self._file.fd,), (self._start + done,), (count,)
        try:
            counts.extend(map(os.sendfile, *place))
        except (BlockingIOError, ConnectionError):
            raise
        except OSError:
            # Not every file system has it, and not every disk is well.
            self._send_copied(sock, done, count, counts)
        else:
            if not counts[-1]:
                self._send_copied(sock, done, count, counts)

    def at_hand(self) -> bytes:
        """Return those of its bytes that are in memory: none."""
        return b""

    def _send_copied(self, sock: AnySocket, done: int, count: int, counts: list[int]) -> None:
        data = b""
        try:
            data = os.pread(self._file.fd, count, self._start + done)
        except OSError as error:
            self.error = error
        counts.extend(map(sock.send, (data or _ZEROS[:count],), _FLAGS))

    def send_behind(self, head: bytes, sock: AnySocket, counts: list[int]) -> None:
        """Send what has to come before it."""
        counts.extend(map(sock.send, (head,), _FLAGS))


class Memory:
    """A payload that is somebody's memory, as long as he waits for it to be sent."""

    __slots__ = ("_view",)

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def __len__(self) -> int:
        return len(self._view)

    def at_hand(self) -> bytes:
        """Return a copy of its bytes."""
        return bytes(self._view)

    def keep(self) -> None:
        """Have a copy: whoever has the memory waits no longer."""
        self._view = memoryview(bytes(self._view))

    def send(self, sock: AnySocket, done: int, counts: list[int]) -> None:
        """Send what comes behind ``done`` bytes; see `FilePart.send`."""
        counts.extend(map(sock.send, (self._view[done:],), _FLAGS))

    def send_behind(self, head: bytes, sock: AnySocket, counts: list[int]) -> None:
        """Send all, and something before it."""
        parts: list[Buffer] = [head, self._view]
        counts.extend(map(sock.sendmsg, (parts,), ((),), _FLAGS))


class LargePacket:
    """A header and a payload that follows it, of which nobody makes a copy."""

    __slots__ = ("_head", "_payload")

    def __init__(self, head: bytes, payload: Payload) -> None:
        self._head = head
        self._payload = payload

    def __len__(self) -> int:
        return len(self._head) + len(self._payload)

    def at_hand(self) -> tuple[bytes, int]:
        """Return a copy of what is in memory of it, and how many bytes follow that are not."""
        kept = self._payload.at_hand()
        return self._head + kept, len(self._payload) - len(kept)

    def send(self, sock: AnySocket, done: int, counts: list[int]) -> None:
        """Send what comes behind ``done`` bytes; see `FilePart.send`."""
        behind = done - len(self._head)
        if behind < 0:
            self._payload.send_behind(self._head[done:], sock, counts)
        else:
            self._payload.send(sock, behind, counts)
