"""What went one way over a stream, held against what was recorded.

Responsible for comparing data and holes however they were cut into packets. Must not know calls, or
how the bytes travel.
"""

from __future__ import annotations

from virtproto.trace import message as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtproto.trace.message import TracedMessage

__all__ = ["RecordedFlow", "hole_length", "span"]

_LENGTH_SIZE = 8


def hole_length(payload: bytes) -> int:
    """Return how long a hole is by its packet's payload, 0 where that cannot be."""
    return max(int.from_bytes(payload[:_LENGTH_SIZE], "big", signed=True), 0)


def span(message: TracedMessage) -> int:
    """Return how many bytes of a stream a message stands for."""
    if message.kind is kinds.HOLE:
        return hole_length(message.packet.payload)
    if message.kind is kinds.DATA:
        return len(message.packet.payload) + message.left_out
    return 0


class RecordedFlow:
    """One direction of a stream as it was recorded, and how far another has come beside it.

    ``size`` is how many bytes were recorded, holes included, and ``at`` how many came. ``fault``
    says where the two differ first, None while they do not.
    """

    def __init__(self, messages: Iterable[TracedMessage]) -> None:
        # Each a piece of data, None for data that was not kept or a hole, and its length.
        self._pieces: list[tuple[str, bytes, int]] = []
        for message in messages:
            if message.kind is kinds.HOLE:
                self._pieces.append(("a hole", b"", span(message)))
            elif message.kind is kinds.DATA:
                if message.packet.payload:
                    payload = message.packet.payload
                    self._pieces.append(("data", payload, len(payload)))
                if message.left_out:
                    self._pieces.append(("", b"", message.left_out))
        self.size = sum(length for _, _, length in self._pieces)
        self.at = 0
        self.fault: str | None = None
        self._piece = 0
        self._within = 0

    def data(self, data: bytes) -> None:
        """Take data that came."""
        self._take("data", data, len(data))

    def hole(self, length: int) -> None:
        """Take a hole that came."""
        self._take("a hole", b"", length)

    def end(self) -> None:
        """Take the end of what comes."""
        if self.fault is None and self.at < self.size:
            self.fault = f"it ends after {self.at} bytes, {self.size} were recorded"

    def _take(self, what: str, data: bytes, length: int) -> None:
        done = 0
        while done < length and self.fault is None:
            if self._piece == len(self._pieces):
                if length:
                    self.fault = f"there is more than the {self.size} bytes that were recorded"
                break
            recorded, piece, size = self._pieces[self._piece]
            take = min(size - self._within, length - done)
            if recorded and recorded != what:
                self.fault = f"byte {self.at + done}: {what} where {recorded} was recorded"
            elif recorded == "data":
                self._compare(piece, data, done, take)
            done += take
            self._within += take
            if self._within == size:
                self._piece += 1
                self._within = 0
        self.at += length

    def _compare(self, piece: bytes, data: bytes, done: int, take: int) -> None:
        ours = memoryview(piece)[self._within : self._within + take]
        theirs = memoryview(data)[done : done + take]
        if ours != theirs:
            first = next(i for i in range(take) if ours[i] != theirs[i])
            self.fault = f"byte {self.at + done + first}: the data differ from what was recorded"
