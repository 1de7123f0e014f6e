"""Reading what is to be played from a file: a recording, a capture, or text of a bug report.

Responsible for the file, and for saying what of it could not be read. Formats are
`virtproto.trace`'s. Must not know what is done with it.
"""

from __future__ import annotations

import gzip
import zlib

from virtproto.errors import RecordingError, UsageError
from virtproto.trace.recalling import Recalled
from virtproto.trace.sorting import GZIP, START, reader_of
from virtproto.trace.telling import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from virtproto.trace.recording import Record
    from virtproto.trace.sorting import Reader

__all__ = ["read_recording"]

_PIECE = 1 << 20


def read_recording(path: str) -> tuple[Recalled, RecordingError | None]:
    """Return what the recording at ``path`` tells, all of it in memory; "-" is the input.

    And what is wrong with it, where that is damaged or cut off: what is whole before is told.
    Raises RecordingError where that is nothing, and UsageError for a file that cannot be opened.
    """
    recalled = Recalled()
    teller: Teller | None = None
    fault: RecordingError | None = None
    reader: Reader | None = None
    try:
        for data in _pieces(path):
            if reader is None:
                reader = reader_of(data)
                teller = Teller(reader.started_s)
            _take(recalled, teller, reader.feed(data))
            if reader.error is not None:
                break
    except RecordingError as error:
        fault = error
    if reader is not None:
        _take(recalled, teller, reader.rest())
        fault = fault or reader.finish()
    if not recalled.messages:
        raise fault or RecordingError(f"{path} has no conversation to be played")
    return recalled, fault


def _take(recalled: Recalled, teller: Teller | None, records: list[Record]) -> None:
    for record in records:
        recalled.add(teller.tell(record) if teller is not None else ())


def _pieces(path: str) -> Iterator[bytes]:
    """Yield what is in a file, unpacked, the first piece large enough to tell what it is."""
    try:
        file = _opened(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"FILE: {path} cannot be read: {reason}") from None
    with file:
        packed = file.peek(len(GZIP)).startswith(GZIP)
        source = gzip.GzipFile(fileobj=file) if packed else file
        start, fault = b"", None
        while len(start) < START and fault is None:
            piece, fault = _read(source)
            if not piece:
                break
            start += piece
        yield start
        while fault is None:
            piece, fault = _read(source)
            if not piece:
                break
            yield piece
    if fault is not None:
        raise fault


def _read(source: BufferedReader | gzip.GzipFile) -> tuple[bytes, RecordingError | None]:
    """Return some bytes, none at the end, and what is wrong with those behind them."""
    try:
        return source.read1(_PIECE), None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b"", RecordingError("what gzip packed is cut off or damaged")
    except OSError as error:
        return b"", RecordingError(f"it cannot be read: {error.strerror or error}")


def _opened(path: str) -> BufferedReader:
    return open(0, "rb", closefd=False) if path == "-" else open(path, "rb")
