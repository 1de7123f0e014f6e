"""What the tests of ``open(uri, trace=...)`` have in common: keeping what is told, and checking it.

Responsible for what is true of any traced conversation. Must not know what a test does with one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from virtproto.trace import message as kinds

if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage

__all__ = ["Kept", "Lines", "told"]


class Kept(list["TracedMessage"]):
    """A function that traces: it keeps all messages."""

    def __call__(self, message: TracedMessage) -> None:
        """Keep a message."""
        self.append(message)

    def names(self, *, from_client: bool = True) -> list[str | None]:
        """Return the procedures of what one end sent."""
        return [each.procedure for each in self if each.from_client is from_client]

    def sound(self) -> None:
        """Check what is so of every conversation."""
        for number in {each.conversation for each in self}:
            mine = [each for each in self if each.conversation == number]
            assert [each.number for each in mine] == list(range(1, len(mine) + 1))
            times = [each.time_s for each in mine]
            assert times == sorted(times)
            for end in (True, False):
                offset = 0
                for each in mine:
                    if each.from_client is end:
                        assert each.offset == offset
                        offset += each.size + (each.packet.nfds or 0)
        assert [each.oddity for each in self if each.oddity] == []
        for reply in self:
            if reply.kind is kinds.REPLY and reply.latency_s is not None:
                assert reply.call is not None
                assert self.index(reply.call) < self.index(reply)


class Lines(logging.Handler):
    """A handler that keeps the lines it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        assert record.levelno == logging.DEBUG
        self.lines.append(record.getMessage())


def told(messages: list[TracedMessage], skip: int = 0) -> list[tuple[str, str | None]]:
    """Return the kind and the procedure of each, behind the first ``skip``."""
    return [(each.kind, each.procedure) for each in messages[skip:]]
