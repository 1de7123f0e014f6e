"""A terminal that a test sits at: the command runs in it, as in a window of a user's.

Responsible for keys in, characters out, and for what mode the terminal is in. Must not know what
the command does.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

__all__ = ["ROOT", "PseudoTerminal"]

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 30.0


class PseudoTerminal:
    """The command in a terminal; a context manager that leaves neither of the two."""

    def __init__(self, *arguments: str, stderr_too: bool = False) -> None:
        self._near, self._far = os.openpty()
        self.mode_before = self.mode
        # As its controlling terminal, so that closing the window is noticed.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "virtproto", *arguments],
            stdin=self._far,
            stdout=self._far,
            stderr=self._far if stderr_too else subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        )

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *failure: object) -> None:
        with self.process:
            self.process.kill()
        self.close_window()
        os.close(self._far)

    @property
    def mode(self) -> list[object]:
        """What termios says of the terminal."""
        return termios.tcgetattr(self._far)

    @property
    def is_raw(self) -> bool:
        """Whether keys are passed on one by one and as they are, and output as it is."""
        flags = termios.tcgetattr(self._far)
        output, local = flags[1], flags[3]
        special = termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN
        return not output & termios.OPOST and not local & special

    def close_window(self) -> None:
        """End the terminal, as closing its window does."""
        if self._near >= 0:
            os.close(self._near)
            self._near = -1

    def type(self, keys: bytes) -> None:
        """Press keys, as many as the terminal takes by and by."""
        while keys:
            assert select.select([], [self._near], [], _PATIENCE_S)[1], "nobody reads the keys"
            keys = keys[os.write(self._near, keys[:1024]) :]

    def read_until(self, last: bytes, *, anywhere: bool = False) -> bytes:
        """Return what is shown, up to and with ``last``, or what came with it if ``anywhere``."""
        shown = b""
        deadline = time.monotonic() + _PATIENCE_S
        while not (last in shown if anywhere else shown.endswith(last)):
            left = max(0, deadline - time.monotonic())
            assert select.select([self._near], [], [], left)[0], f"it shows {shown!r}"
            shown += os.read(self._near, 65536)
        return shown

    def wait_for(self, *, raw: bool) -> None:
        """Wait until the terminal is raw, or is not."""
        deadline = time.monotonic() + _PATIENCE_S
        while self.is_raw != raw:
            assert time.monotonic() < deadline, "the mode of the terminal stays"
            time.sleep(0.005)

    def stop_and_continue(self) -> list[object]:
        """Suspend the command and have it go on; return the terminal's mode in between."""
        self.process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        between = self.mode
        self.process.send_signal(signal.SIGCONT)
        return between

    def end(self) -> tuple[int, str]:
        """Wait for the command's end; return its exit code and what it said on stderr.

        That is nothing where stderr is the terminal.
        """
        try:
            _, said = self.process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            # It says where it hangs.
            self.process.send_signal(signal.SIGABRT)
            _, said = self.process.communicate()
            raise AssertionError(f"it does not end:\n{(said or b'').decode()}") from None
        return self.process.returncode, (said or b"").decode()
