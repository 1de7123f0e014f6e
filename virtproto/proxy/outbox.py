"""Records on their way to whoever reads them: gathered, and written when there is time.

Responsible for the pipe and for what waits for it. Nothing is dropped while somebody reads; where
he lags far behind, writing waits for him. Must not know what records say.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from fcntl import fcntl
from select import POLLOUT, poll

__all__ = ["Outbox"]

# So much is written at once. And so much may wait for a reader, beside what the pipe holds: most
# bursts of calls are over before anybody could have printed them.
_AT_ONCE = 1 << 20
_MOST_WAITING = 32 << 20
# Room of the pipe, as much as anybody may ask for.
_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031


class Outbox:
    """The writing end of a pipe, which is its own from now on; None writes nothing anywhere."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._fresh: list[bytes] = []
        self._fresh_size = 0
        self._waiting: deque[memoryview] = deque()
        self._waiting_size = 0
        if fd is not None:
            os.set_blocking(fd, False)
            _widen(fd)

    @property
    def fd(self) -> int | None:
        """The descriptor; None where nobody reads, or nobody does any more."""
        return self._fd

    @property
    def has_fresh(self) -> bool:
        """Whether something was not even tried to be written."""
        return bool(self._fresh)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits for room in the pipe."""
        return bool(self._waiting)

    def put(self, record: bytes) -> None:
        """Have a record written soon; waits where the reader is very late."""
        self._fresh.append(record)
        self._fresh_size += len(record)
        if self._fresh_size >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what the pipe takes."""
        if self._fresh:
            if self._fd is not None:
                self._waiting.append(memoryview(b"".join(self._fresh)))
                self._waiting_size += self._fresh_size
            self._fresh = []
            self._fresh_size = 0
        self._write()
        while self._waiting_size > _MOST_WAITING:
            self._await_room()
            self._write()

    def close(self) -> None:
        """Write all that is left, as slowly as it is read, and close the pipe."""
        try:
            self.flush()
            while self._waiting:
                self._await_room()
                self._write()
        finally:
            self._lose()

    def _write(self) -> None:
        waiting = self._waiting
        while waiting and self._fd is not None:
            try:
                done = os.write(self._fd, waiting[0])
            except BlockingIOError:
                return
            except OSError:
                # The reader has gone, which must not harm those whose bytes these were.
                self._lose()
                return
            self._waiting_size -= done
            if done == len(waiting[0]):
                waiting.popleft()
            else:
                waiting[0] = waiting[0][done:]

    def _await_room(self) -> None:
        if self._fd is not None:
            ready = poll()
            ready.register(self._fd, POLLOUT)
            ready.poll()

    def _lose(self) -> None:
        fd, self._fd = self._fd, None
        self._waiting.clear()
        self._waiting_size = 0
        if fd is not None:
            os.close(fd)


def _widen(fd: int) -> None:
    # What is no pipe, or of a user who has no more room, works as it is.
    with suppress(OSError):
        fcntl(fd, _F_SETPIPE_SZ, _PIPE_SIZE)
