"""Signals that interrupt the main thread from another one, surely and once.

A signal that comes just before the main thread enters a system call is handled only when that call
returns, which it may never do. So it is sent again until its handler has run.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interruption", "interruption"]

_AGAIN_S = 0.05
_PATIENCE_S = 20.0


class Interruption:
    """A signal whose handler raises ``kind``, once for each `send`."""

    def __init__(self, number: int, kind: type[BaseException]) -> None:
        self._number = number
        self._kind = kind
        self._due = False
        self._raised = threading.Event()

    def handle(self, number: int, frame: object) -> None:
        """Raise in the main thread, unless this is but the repetition of what has."""
        if self._due:
            self._due = False
            self._raised.set()
            raise self._kind

    def send(self) -> None:
        """Interrupt the main thread; return when that has happened. On another thread."""
        main = threading.main_thread().ident
        assert main is not None
        self._raised.clear()
        self._due = True
        for _ in range(round(_PATIENCE_S / _AGAIN_S)):
            signal.pthread_kill(main, self._number)
            if self._raised.wait(_AGAIN_S):
                return


@contextlib.contextmanager
def interruption(
    number: int = signal.SIGINT, kind: type[BaseException] = KeyboardInterrupt
) -> Iterator[Interruption]:
    """Have a signal raise ``kind`` in the main thread, as often as is asked for."""
    one = Interruption(number, kind)
    before = signal.signal(number, one.handle)
    try:
        yield one
    finally:
        signal.signal(number, before)
