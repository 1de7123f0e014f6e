"""Carrying conversations between clients and daemons: one loop, one thread, any number of them.

Responsible for moving bytes and descriptors unchanged, both ways at once, no faster than either end
takes them, and for handing on what passed as records, after it has passed. Must not know what
packets mean, who prints the records, or how a client was led here.
"""

from __future__ import annotations

from select import EPOLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from virtproto.transport.road import Road

__all__ = ["Carriage"]


class Carriage:
    """One loop that carries conversations, and lets others in.

    All methods are for the thread of `run`, callbacks included, but for `from_thread`. Exceptions
    of callbacks leave `run`; `close` is to be called afterwards, whatever happened.
    """

    def __init__(
        self,
        report: int | None,
        *,
        payloads: bool = False,
        when_ended: Callable[[int], object] | None = None,
    ) -> None:
        """Make a loop that writes a recording to ``report``, its head first.

        ``report`` is the writing end of a pipe, which is the carriage's from now on, made
        non-blocking and closed by `close`; None where nobody wants to know. While its reader lags
        behind by more than a mebibyte, conversations wait; once it has gone, they go on untold.
        ``payloads`` has the payloads of streams' data kept in the records, which costs speed.
        ``when_ended`` is called with the number of each conversation that has ended.
        """
        raise NotImplementedError

    @property
    def conversations(self) -> int:
        """How many conversations go on."""
        raise NotImplementedError

    @property
    def is_heard(self) -> bool:
        """Whether somebody still reads the records."""
        raise NotImplementedError

    def add(self, client: socket, road: Road, about: dict[str, object]) -> int:
        """Begin a conversation between ``client`` and the far end of ``road``; return its number.

        Numbers count from 1. Both are the carriage's from now on, and closed when they end.
        ``about`` is what is known of the two, for the record of the beginning; it must be fit for
        JSON. What the road's layer holds already is passed on.
        """
        raise NotImplementedError

    def fail(self, about: dict[str, object], why: str) -> int:
        """Tell of a conversation that could not begin, as its beginning and its end; its number."""
        raise NotImplementedError

    def note(self, text: str, conversation: int = 0) -> None:
        """Tell whoever reads the records something, about one conversation or (0) about all."""
        raise NotImplementedError

    def watch(self, fd: int, callback: Callable[[], object], events: int = EPOLLIN) -> None:
        """Have ``callback()`` called whenever ``fd`` is ready (level-triggered) for ``events``."""
        raise NotImplementedError

    def unwatch(self, fd: int) -> None:
        """End `watch`, before ``fd`` is closed; nothing happens where it is not watched."""
        raise NotImplementedError

    def later(self, delay_s: float, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once, in the loop, after so many seconds."""
        raise NotImplementedError

    def from_thread(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once, soon, in the loop; may be called on any thread."""
        raise NotImplementedError

    def run(self) -> None:
        """Carry until `stop`; may be called again."""
        raise NotImplementedError

    def stop(self, *, drain: bool = True) -> None:
        """Have `run` return, with ``drain`` not before all that came was passed on.

        What has come from either end by now is still delivered, if the other end takes it.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End all conversations, write what is not reported yet, and close everything.

        Waits for the reader of the report as long as he reads on.
        """
        raise NotImplementedError
