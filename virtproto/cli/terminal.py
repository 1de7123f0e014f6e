"""The terminal that the command runs in, and the signals that come from it and about it.

Responsible for the raw mode that a guest's console needs, for the terminal being as before on every
way out, and for signals as something to look at between two waits. Must not know what is typed.
"""

from __future__ import annotations

import os
import signal
import termios
from contextlib import ExitStack, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Self

__all__ = ["RawTerminal", "Signals"]

# Of the list that termios.tcgetattr returns.
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6

_NOT_RAW_INPUT = (
    termios.IGNBRK
    | termios.BRKINT
    | termios.PARMRK
    | termios.ISTRIP
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON
)
_NOT_RAW_LOCAL = termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN

_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class Signals:
    """Takes note of signals that would end the process, and wakes who polls ``fileno()``.

    A context manager, for the main thread. What the process was told to ignore stays ignored.
    """

    def __init__(self) -> None:
        # The signal that came first, 0 while none has.
        self.caught = 0
        self._restore = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            undo.callback(os.close, self._out)
            undo.callback(os.close, self._in)
            # The kernel may give a signal to any thread; Python runs the handlers in this one,
            # which may be asleep.
            undo.callback(
                signal.set_wakeup_fd, signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)
            )
            for number in _ENDING:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    signal.signal(number, self._note)
                    undo.callback(signal.signal, number, before)
            self._restore = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore.close()

    def fileno(self) -> int:
        """Return the descriptor that can be read when somebody was woken."""
        return self._out

    def wake(self) -> None:
        """Wake who polls; from any thread."""
        with suppress(BlockingIOError):
            os.write(self._in, b"\0")

    def heard(self) -> None:
        """Take back all wakings so far."""
        with suppress(BlockingIOError):
            os.read(self._out, 4096)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.caught = self.caught or number
        self.wake()


class RawTerminal:
    """Has a terminal pass on every key as it is, and show every byte as it comes, in a block.

    The terminal is as before afterwards, and while the process is stopped by SIGTSTP; what was
    typed and not read by then is dropped, as it was not meant for whoever reads next. Where
    ``fd`` is no terminal, nothing happens. A context manager, for the main thread.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._before = termios.tcgetattr(fd) if os.isatty(fd) else None
        self._restore = ExitStack()

    def __enter__(self) -> Self:
        if self._before is None:
            return self
        with ExitStack() as undo:
            for number, handler in (
                (signal.SIGTSTP, self._stop),
                (signal.SIGCONT, self._go_on),
            ):
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    undo.callback(signal.signal, number, before)
                    signal.signal(number, handler)
            undo.callback(self._put_back)
            self._make_raw()
            self._restore = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore.close()

    def _make_raw(self) -> None:
        assert self._before is not None
        mode = list(self._before)
        mode[_IFLAG] &= ~_NOT_RAW_INPUT
        mode[_OFLAG] &= ~termios.OPOST
        mode[_CFLAG] = mode[_CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        mode[_LFLAG] &= ~_NOT_RAW_LOCAL
        mode[_CC] = list(mode[_CC])
        mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    def _put_back(self) -> None:
        # A terminal that has gone, with SIGHUP, needs nothing. Not TCSAFLUSH, which waits for a
        # terminal that takes no more output.
        with suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before or [])

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._put_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        # In the background the terminal is another's; there is one more SIGCONT when it is not.
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(self._fd) == os.getpgrp():
                self._make_raw()
