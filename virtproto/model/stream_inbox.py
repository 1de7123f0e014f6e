"""What has arrived on a stream and is not read yet, and how the stream stands.

Responsible for order, holes, the end and the failure of one stream, in both colours. Must not know
how anything arrives, nor how a reader waits: what is not there yet is None.
"""

from __future__ import annotations

from collections import deque

from virtproto.errors import SequenceError
from virtproto.model.replies import error_from_payload, repeated
from virtproto.protocol.events import (
    Event,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinished,
    StreamHoleReceived,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.xdr.procedure import Procedure

__all__ = ["CROWDED", "StreamInbox"]

# From so many unread bytes on the connection reads no more on the stream's account.
CROWDED = 4 << 20
# What a hole gives at most in one piece of zeros.
_ZEROS_MAX = 1 << 20


class StreamInbox:
    """The unread part of one stream.

    ``ended``: the daemon has no more data. ``over``: it confirmed a finish or an abort. ``error``:
    why nothing can be done with the stream any more. ``sparse`` says whether holes may come.
    """

    __slots__ = ("_parts", "_procedure", "_start", "ended", "error", "over", "size", "sparse")

    def __init__(self, procedure: Procedure[Any, Any], *, sparse: bool) -> None:
        self._procedure = procedure
        self.sparse = sparse
        # Data as it came, and holes as their length, oldest first.
        self._parts: deque[bytes | int] = deque()
        # How much of the first part, if that is data, is read.
        self._start = 0
        # Unread bytes, holes not counted.
        self.size = 0
        self.ended = False
        self.over = False
        self.error: VirtprotoError | None = None

    def put(self, event: Event) -> None:
        """Take in what the core reports of this stream."""
        if isinstance(event, StreamDataReceived):
            # What comes behind the end nobody reads: whoever read so far was told of the end.
            if not self.ended:
                self._parts.append(event.data)
                self.size += len(event.data)
        elif isinstance(event, StreamHoleReceived):
            if not self.sparse:
                self.fail(SequenceError(f"{self._procedure.name}: a hole in a stream without any"))
            elif event.length and not self.ended:
                self._parts.append(event.length)
        elif isinstance(event, StreamEnded):
            self.ended = True
        elif isinstance(event, StreamFinished):
            self.over = True
        elif isinstance(event, StreamFailed):
            if event.error is not None:
                self.fail(event.error)
                return
            try:
                self.fail(error_from_payload(self._procedure, event.payload))
            except Exception as error:
                # An error that cannot be read is one all the same.
                self.fail(error)  # type: ignore[arg-type]

    def fail(self, error: VirtprotoError) -> None:
        """Note why the stream is of no use, and forget what is unread; the first reason stays."""
        if self.error is None:
            self.error = error
            self.clear()

    def check(self) -> None:
        """Raise the reason why the stream is of no use, if there is one."""
        if self.error is not None:
            raise repeated(self.error)

    @property
    def crowded(self) -> bool:
        """Whether more is unread than should be."""
        return self.size > CROWDED

    @property
    def has_news(self) -> bool:
        """Whether a reader need not wait."""
        return bool(self._parts) or self.ended or self.over or self.error is not None

    @property
    def hole(self) -> int:
        """What is left of the hole that stands first, 0 where there is none."""
        first = self._parts[0] if self._parts else b""
        return first if isinstance(first, int) else 0

    def read(self, nbytes: int, *, stop_at_hole: bool = False) -> bytes | None:
        """Return the next data, at most ``nbytes``, or b"" at the end.

        None where nothing has come yet, and at a hole with ``stop_at_hole``; else holes are read as
        zeros. After a failure that is raised, as libvirt's own client does it, and not what came
        before.
        """
        self.check()
        if not self._parts:
            return b"" if self.ended or self.over else None
        first = self._parts[0]
        if isinstance(first, int):
            return None if stop_at_hole else self._zeros(first, nbytes)
        start = self._start
        end = min(start + nbytes, len(first))
        if end == len(first):
            self._parts.popleft()
            self._start = 0
        else:
            self._start = end
        self.size -= end - start
        return first[start:end] if end - start < len(first) else first

    def take_hole(self) -> int:
        """Return the length of the hole that stands first, and pass it; 0 where there is none."""
        length = self.hole
        if length:
            self._parts.popleft()
        return length

    def clear(self) -> None:
        """Forget what is unread: nobody will read it."""
        self._parts.clear()
        self._start = 0
        self.size = 0

    def _zeros(self, length: int, nbytes: int) -> bytes:
        count = min(length, nbytes, _ZEROS_MAX)
        if count == length:
            self._parts.popleft()
        else:
            self._parts[0] = length - count
        return bytes(count)
