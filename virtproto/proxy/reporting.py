"""A process of its own for what is done with the records of what passed.

Responsible for the pipe in between, for this process's start and end, and for its being none of the
program's that is traced. Must not know what it does with records.

Printing takes longer than carrying. Here it costs the carrying nothing but what it writes into a
pipe; where printing lags behind by more than the pipe takes, carrying waits, and nothing is lost.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["Reporter"]

_NICE = 15
# These are for the program that is traced, and end it: what it did is told all the same.
_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class Reporter:
    """The process. ``fd`` is where records are to be written: whoever does so closes it."""

    def __init__(self, work: Callable[[int], int]) -> None:
        """Begin a process that calls ``work`` with a descriptor to read, and ends with its code.

        To be called before there are threads, or other descriptors that it should not have. Raises
        OSError where there can be no further process.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        reading, self.fd = os.pipe2(os.O_CLOEXEC)
        try:
            self._pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(self.fd)
            raise
        if self._pid == 0:
            os.close(self.fd)
            _do(work, reading)
        os.close(reading)

    def wait(self) -> int:
        """Return the exit code once it has done its work, which ends with the records.

        A signal's is negative. To be called once, after ``fd`` was closed.
        """
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _do(work: Callable[[int], int], reading: int) -> NoReturn:
    code = 1
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        with suppress(OSError):
            # Where all want to run at once, those that are overheard come first.
            os.nice(_NICE)
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        code = work(reading)
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
