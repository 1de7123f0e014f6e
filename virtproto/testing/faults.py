"""Ways in which a connection may misbehave, and the writing that does so.

Responsible for: what becomes of bytes between a scripted server and its client. Must not know what
the bytes mean.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from virtproto.errors import UsageError

__all__ = ["Faults", "Outlet", "DELAY_MAX_S"]

# Longest pause between two pieces: a test that needs more is a test that sleeps.
DELAY_MAX_S = 1.0

# How often to look whether the client has read the piece before.
_LOOK_AGAIN_S = 0.0002


@dataclass(frozen=True)
class Faults:
    """What goes wrong on every connection of a server.

    ``split``: write pieces of at most this many bytes, each only after the client has read the one
    before, so that the client really sees them apart. ``delay_s``: pause before each piece (before
    each answer where ``split`` is None). ``cut_after``: close the connection after this many bytes.
    ``reorder``: hold the replies of as many calls as it has entries (the opening sequence excepted)
    and release them in this order: (1, 0) swaps each two.
    """

    split: int | None = None
    delay_s: float = 0.0
    cut_after: int | None = None
    reorder: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.split is not None and self.split < 1:
            raise UsageError(f"split={self.split}: it must be at least 1")
        if not 0 <= self.delay_s <= DELAY_MAX_S:
            raise UsageError(f"delay_s={self.delay_s}: it must be within 0 and {DELAY_MAX_S}")
        if self.cut_after is not None and self.cut_after < 0:
            raise UsageError(f"cut_after={self.cut_after}: it must not be negative")
        if sorted(self.reorder) != list(range(len(self.reorder))):
            raise UsageError(f"reorder={self.reorder}: it must be a permutation of 0, 1, ...")


class Outlet:
    """The writing side of one connection; ``sock`` is non-blocking."""

    def __init__(self, sock: socket.socket, faults: Faults) -> None:
        self._sock = sock
        self._faults = faults
        # Bytes, and carriers: the descriptors that ride on one zero byte.
        self._pieces: deque[memoryview | tuple[int, ...]] = deque()
        self._left = faults.cut_after
        self._not_before: float | None = None
        self.blocked = False
        self.cut = False

    def put(self, data: bytes) -> None:
        """Queue bytes."""
        if not data or self.cut:
            return
        size = self._faults.split or len(data)
        view = memoryview(data)
        self._pieces.extend(view[at : at + size] for at in range(0, len(data), size))

    def put_carrier(self, *fds: int) -> None:
        """Queue one carrier byte with descriptors, which are copied."""
        if not self.cut:
            self._pieces.append(tuple(os.dup(fd) for fd in fds))

    @property
    def empty(self) -> bool:
        """True once everything is written."""
        return not self._pieces

    def flush(self, now: float) -> float | None:
        """Write what may be written now; return the time at which to come again, if there is one.

        Sets ``blocked`` when the socket is full and ``cut`` when ``cut_after`` is reached. Raises
        OSError when the client is gone.
        """
        self.blocked = False
        if self._left == 0:
            self._cut()
        while self._pieces:
            wait_until = self._wait_until(now)
            if wait_until is not None:
                return wait_until
            try:
                self._write(self._pieces[0])
            except BlockingIOError:
                self.blocked = True
                return None
        return None

    def _write(self, piece: memoryview | tuple[int, ...]) -> None:
        if not isinstance(piece, tuple):
            self._wrote(self._sock.send(piece if self._left is None else piece[: self._left]))
            return
        if piece:
            socket.send_fds(self._sock, [b"\0"], piece)
        else:
            self._sock.send(b"\0")
        self._pieces.popleft()
        for fd in piece:
            os.close(fd)

    def _wait_until(self, now: float) -> float | None:
        """Return the time before which the next piece must not go, None if it may."""
        if self._faults.split is not None and self._unread():
            return now + _LOOK_AGAIN_S
        if self._faults.delay_s:
            if self._not_before is None:
                self._not_before = now + self._faults.delay_s
            if now < self._not_before:
                return self._not_before
        return None

    def _wrote(self, written: int) -> None:
        self._not_before = None
        piece = self._pieces[0]
        assert isinstance(piece, memoryview)
        if written == len(piece):
            self._pieces.popleft()
        else:
            self._pieces[0] = piece[written:]
        if self._left is not None:
            self._left -= written
            if self._left == 0:
                self._cut()

    def _cut(self) -> None:
        for piece in self._pieces:
            for fd in piece if isinstance(piece, tuple) else ():
                os.close(fd)
        self._pieces.clear()
        self.cut = True

    def _unread(self) -> int:
        """Return what the kernel holds for a client that has not read it yet."""
        answer = fcntl.ioctl(self._sock, termios.TIOCOUTQ, b"\0" * 4)
        (unread,) = struct.unpack("i", answer)
        return int(unread)
