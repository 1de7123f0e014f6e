"""What moving a volume's content means before a byte moves: what is asked, allowed, and counted.

Responsible for the checks of what a caller asks, for how holes may travel, and for what progress is
told. Must not know files, streams or clocks: sizes and times are arguments.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, TransferError, UsageError
from virtproto.model.arguments import to_bool, to_ulong
from virtproto.model.records.storage import VolTransfer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # Called with the bytes done and those there are in all, None where nobody knows.
    ProgressFunction: TypeAlias = Callable[[int, int | None], object]

__all__ = [
    "PACKET",
    "PIECE",
    "Meter",
    "Volume",
    "check_download",
    "check_request",
    "check_upload",
    "is_raw",
]

# What is read, sent and written at once: more makes a daemon slower, less costs more packets.
PIECE = 1 << 20
# What is sent in one packet where its size costs nothing here: a daemon takes these quickest.
PACKET = 1 << 19

# Seconds between two calls of a progress function.
_PROGRESS_EVERY_S = 0.1

# virStorageVolType.
_FILE = 0


class Volume:
    """What is known of a volume before a transfer, all in bytes.

    ``capacity`` is what a guest sees, ``allocation`` what the volume takes, ``physical`` how long
    its file or device is (None where the daemon does not tell), ``raw`` whether its content is what
    a guest sees, byte for byte.
    """

    __slots__ = ("allocation", "capacity", "is_file", "physical", "raw")

    def __init__(
        self, kind: int, capacity: int, allocation: int, physical: int | None, *, raw: bool
    ) -> None:
        self.is_file = kind == _FILE
        self.capacity = capacity
        self.allocation = allocation
        self.physical = physical
        self.raw = raw

    @property
    def room(self) -> int | None:
        """How long the content can be; None for formats that grow as they are written."""
        return self.capacity if self.raw or not self.is_file else None

    @property
    def keeps_holes(self) -> bool:
        """Whether holes can be sent to it.

        A daemon passes a hole over and cuts the file there: what was in its place, or comes behind
        it, would not be what it should. So only to a file that holds nothing yet.
        """
        return self.is_file and self.allocation == 0

    def rest_behind(self, end: int) -> int:
        """How much of the volume's file there was behind ``end``."""
        return max(0, (self.physical or 0) - end)


def is_raw(xml: str) -> bool:
    """Return whether a volume's description names no format, or that of plain bytes.

    Where it cannot be read the volume counts as raw, so that nothing larger is sent to it.
    """
    from xml.etree import ElementTree

    try:
        found = ElementTree.fromstring(xml).find("./target/format")
    except ElementTree.ParseError:
        return True
    return found is None or found.get("type", "raw") == "raw"


def check_request(
    offset: int, length: int | None, progress: object, *, sparse: bool, overwrite: bool = False
) -> None:
    """Raise UsageError or ArgumentTypeError for arguments that mean no transfer."""
    if _bytes("offset", offset) is None:
        raise ArgumentTypeError("offset: a whole number is required, not None")
    if _bytes("length", length) == 0:
        raise UsageError("length: 0 bytes; None is for all there are")
    to_bool("sparse", sparse)
    to_bool("overwrite", overwrite)
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress: expected a function, not {type(progress).__name__}")


def _bytes(parameter: str, value: int | None) -> int | None:
    """Return a number of bytes, or None; a truth value, which Python takes for one, is none."""
    if isinstance(value, bool):
        raise ArgumentTypeError(f"{parameter}: expected a whole number, not bool")
    return None if value is None else to_ulong(parameter, value)


def check_upload(name: str, size: int | None, volume: Volume, offset: int) -> None:
    """Raise UsageError where the volume cannot hold what is to be sent."""
    room = volume.room
    if room is not None and offset + (size or 0) > room:
        what = "nothing" if offset >= room else f"no more than {room - offset} bytes"
        raise UsageError(
            f"source: {name} is {size} bytes; the volume takes {what} from offset {offset} on"
            if size is not None
            else f"offset: {offset} is beyond the volume's {room} bytes"
        )


def check_download(volume: Volume, offset: int, length: int | None) -> int | None:
    """Return how many bytes will come, None where that is not known; raise UsageError for none."""
    if volume.physical is None:
        return length
    there = volume.physical - offset
    if there < 0:
        raise UsageError(f"offset: {offset} is beyond the volume's {volume.physical} bytes")
    if length is not None and length > there:
        raise UsageError(f"length: {length} bytes; from offset {offset} on there are {there}")
    return there if length is None else length


class Meter:
    """What has been moved so far, and when its ``progress(done, total)`` is to be called."""

    __slots__ = ("_due_at", "_told", "data", "holes", "progress", "total")

    def __init__(self, progress: ProgressFunction | None, total: int | None) -> None:
        self.progress = progress
        self.total = total
        self.data = 0
        self.holes = 0
        self._told = -1
        self._due_at: float | None = None

    @property
    def done(self) -> int:
        """Bytes moved, holes among them."""
        return self.data + self.holes

    def due(self, now: float, *, at_end: bool = False) -> bool:
        """Return whether it is time to tell: at first, now and then, and ``at_end``; not twice."""
        if self.progress is None or self.done == self._told:
            return False
        if not at_end and self._due_at is not None and now < self._due_at:
            return False
        self._due_at = now + _PROGRESS_EVERY_S
        self._told = self.done
        return True

    def result(self, *, sparse: bool) -> VolTransfer:
        """Return the record of the transfer."""
        return VolTransfer(self.done, self.data, self.holes, sparse)

    def check_complete(self, name: str) -> None:
        """Raise TransferError unless all that was announced has come."""
        if self.total is not None and self.done != self.total:
            raise TransferError(
                f"{name}: the daemon sent {self.done} of {self.total} bytes and ended"
            )
