"""Who answers for held calls of ``connect`` once nobody else does.

Responsible for a process that waits for ours to end, however it does, and lets through from then on
whatever is asked, to the last of those who may ask. Must not know whose calls are held, or why.

Without anybody who listens the kernel would refuse those programs every connection.
"""

from __future__ import annotations

import os
import warnings
from fcntl import F_DUPFD, fcntl
from select import POLLIN, poll

from virtproto.proxy import seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Standby"]

_LISTENER, _PIPE = 3, 4


class Standby:
    """The process, for one listener of seccomp's. It is no child of ours, nor of our terminal's."""

    def __init__(self, listener: int) -> None:
        """Begin it. Raises OSError where there can be no further process."""
        reading, self._writing = os.pipe2(os.O_CLOEXEC)
        try:
            with warnings.catch_warnings():
                # Threads may run here; the child needs none of what they may hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                _begin(listener, reading)
            os.waitpid(child, 0)
        except BaseException:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)

    def close(self) -> None:
        """Let it answer from now on, and end when nobody is left; may be called twice."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1


def _begin(listener: int, reading: int) -> NoReturn:
    try:
        os.setsid()
        if os.fork() == 0:
            _stand_by(listener, reading)
    finally:
        os._exit(0)


def _stand_by(listener: int, reading: int) -> None:
    os.chdir("/")
    # First out of the way of the numbers that they get.
    kept = [fcntl(each, F_DUPFD, _PIPE + 1) for each in (listener, reading)]
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in range(3):
        os.dup2(nothing, each)
    os.dup2(kept[0], _LISTENER)
    os.dup2(kept[1], _PIPE)
    os.closerange(_PIPE + 1, os.sysconf("SC_OPEN_MAX"))
    # Nobody writes: it ends with the process that has the other end, or as that says.
    os.read(_PIPE, 1)
    waiting = poll()
    waiting.register(_LISTENER, POLLIN)
    while waiting.poll()[0][1] & POLLIN:
        notification = seccomp.receive(_LISTENER)
        if notification is not None:
            seccomp.let_through(_LISTENER, notification)
