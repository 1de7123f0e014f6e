"""Packets of streams that come one after the other, counted together to be told in one line.

Responsible for what belongs together: the data of one stream in one direction, as long as nothing
else passes in between. Must not know how it is printed.
"""

from __future__ import annotations

from virtproto.trace import message as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage

__all__ = ["StreamRun", "StreamRuns"]

# Streams that have data under way at a time, before those that are counted are told.
_MOST_OPEN = 64


class StreamRun:
    """``count`` packets with ``size`` bytes of data, from ``first`` to the time ``last_s``."""

    __slots__ = ("count", "first", "last_s", "size")

    def __init__(self, first: TracedMessage) -> None:
        self.first = first
        self.last_s = first.time_s
        self.count = 1
        self.size = _data_of(first)


class StreamRuns:
    """The runs that are not told yet, in the order in which they began."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int, bool], StreamRun] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def longest_s(self) -> float:
        """The time from first to last of the run that is the longest."""
        return max((run.last_s - run.first.time_s for run in self._open.values()), default=0.0)

    def takes(self, message: TracedMessage) -> bool:
        """Count a message in, if it is plain data of a stream; say whether it was."""
        if message.kind is not kinds.DATA or message.oddity is not None:
            return False
        key = message.conversation, message.packet.serial, message.from_client
        run = self._open.get(key)
        if run is None:
            if len(self._open) >= _MOST_OPEN:
                return False
            self._open[key] = StreamRun(message)
        else:
            run.count += 1
            run.size += _data_of(message)
            run.last_s = message.time_s
        return True

    def take(self) -> list[StreamRun]:
        """Return the runs, and begin anew."""
        if not self._open:
            return []
        found = list(self._open.values())
        self._open.clear()
        return found


def _data_of(message: TracedMessage) -> int:
    return len(message.packet.payload) + message.left_out
