"""What streams of both colours have in common in their use: sizes, flags, and handlers' answers.

Must not know how anything travels.
"""

from __future__ import annotations

from warnings import warn

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import shown_number, to_long

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer, Iterator  # type: ignore[attr-defined]
    from typing import Any

    from virtproto.model.stream_inbox import StreamInbox
    from virtproto.xdr.procedure import Procedure

__all__ = [
    "CHUNK",
    "ERROR",
    "HANGUP",
    "NONBLOCK",
    "READABLE",
    "STOP_AT_HOLE",
    "WRITABLE",
    "check_handler",
    "check_size",
    "check_taken",
    "pieces_of",
    "readiness",
    "room_in",
    "section_of",
    "view_of",
    "warn_of_open_stream",
]

# VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX: what every server accepts in one packet, and sends itself.
CHUNK = 262120

# virStreamFlags, virStreamRecvFlagsValues.
NONBLOCK = 1
STOP_AT_HOLE = 1
# virStreamEventType.
READABLE, WRITABLE, ERROR, HANGUP = 1, 2, 4, 8


# The longest stretch that the wire has a number for.
_LENGTH_MAX = 0x7FFFFFFFFFFFFFFF


def view_of(parameter: str, value: Buffer) -> memoryview:
    """Return the bytes of what holds some, one after another. Raises ArgumentTypeError."""
    try:
        view = memoryview(value)
        return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(bytes(view))
    except (TypeError, ValueError, BufferError):
        # ValueError is what a view says that was released.
        kind = type(value).__name__
    raise ArgumentTypeError(f"{parameter}: expected bytes, not {kind}")


def room_in(parameter: str, value: Buffer) -> memoryview:
    """Return the bytes of memory that can be written to. Raises ArgumentTypeError."""
    try:
        view = memoryview(value)
        if not view.readonly and view.c_contiguous:
            return view.cast("B") if view.nbytes else memoryview(b"")
    except (TypeError, ValueError):
        pass
    kind = type(value).__name__
    raise ArgumentTypeError(f"{parameter}: expected memory to write to, not {kind}")


def check_size(parameter: str, size: int) -> None:
    """Raise UsageError unless ``size`` is a number of bytes, or -1 for all there are."""
    if to_long(parameter, size) < -1:
        raise UsageError(f"{parameter}: {size} bytes cannot be read; -1 is for all of them")


def pieces_of(view: memoryview) -> Iterator[memoryview]:
    """Cut data into what one packet takes."""
    for start in range(0, len(view), CHUNK):
        yield view[start : start + CHUNK]


def check_handler(parameter: str, handler: object) -> None:
    """Raise ArgumentTypeError unless ``handler`` can be called."""
    if not callable(handler):
        raise ArgumentTypeError(f"{parameter}: expected a function, not {type(handler).__name__}")


def check_taken(answer: object, offered: int) -> int:
    """Return how many bytes a handler took: all, unless it says how many."""
    if answer is None:
        return offered
    if not isinstance(answer, int) or isinstance(answer, bool):
        raise ArgumentTypeError(
            f"handler: it returned {type(answer).__name__}, not a number of bytes or None"
        )
    if not 0 < answer <= offered:
        raise UsageError(f"handler: it took {shown_number(answer)} of {offered} bytes")
    return answer


def section_of(answer: Any) -> tuple[bool, int]:
    """Return what a hole handler answered. Raises ArgumentTypeError, UsageError."""
    try:
        is_data, length = answer
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            "hole_handler: it must return (whether data comes next, length)"
        ) from None
    if not isinstance(length, int):
        raise ArgumentTypeError(
            f"hole_handler: the length is a number, not {type(length).__name__}"
        )
    if not 0 <= length <= _LENGTH_MAX:
        raise UsageError(f"hole_handler: a length of {shown_number(length)}")
    return bool(is_data), length


def warn_of_open_stream(stream: object, procedure: Procedure[Any, Any]) -> None:
    """Warn of a stream that nobody has any more and nobody ended."""
    warn(
        f"a stream of {procedure.name} was neither finished nor aborted",
        ResourceWarning,
        stacklevel=3,
        source=stream,
    )


def readiness(inbox: StreamInbox, events: int, *, writable: bool) -> int:
    """Return which of ``events`` a stream is ready for.

    An error makes it ready to read, as with libvirt's own client, so that reading tells of it.
    """
    ready = READABLE if inbox.has_news else 0
    if inbox.error is not None:
        ready |= ERROR
    elif inbox.over:
        ready |= HANGUP
    elif writable:
        ready |= WRITABLE
    return ready & events
