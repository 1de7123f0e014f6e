"""Files that are read from their beginning to their end, packed ones unpacked on the way.

Responsible for opening them, for gzip, and for saying what cannot be read, by one kind of error.
Must not know what is in them.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import contextmanager

from virtproto.errors import RecordingError, UsageError
from virtproto.trace.reading.formats import GZIP, START

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Source", "opened"]

_CHUNK = 1 << 18


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading, "-" being the input. Raises UsageError where that cannot be."""
    if path == "-":
        if sys.stdin is None:
            raise UsageError("FILE: the input is closed")
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - what goes wrong further down is not opening it
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"FILE: {path} cannot be read: {reason}") from None
    with file:
        yield file


class Source:
    """What is in a file, unpacked if it is packed by gzip, which ``is_packed`` tells."""

    def __init__(self, file: BinaryIO) -> None:
        self.is_packed = False
        self._file = file

    def chunks(self) -> Iterator[bytes]:
        """Yield it in pieces, the first of START or more.

        Raises RecordingError, with the offset in the file, for what cannot be read or unpacked.
        """
        start = _read(self._file, START)
        if start[:3] == GZIP:
            self.is_packed = True
            yield from self._unpacked(start)
            return
        yield start
        while data := _read(self._file, _CHUNK):
            yield data

    def _unpacked(self, start: bytes) -> Iterator[bytes]:
        held, begun = b"", False
        try:
            for data in _unpacked(self._file, start):
                held += data
                if len(held) >= START:
                    yield held
                    held, begun = b"", True
        except RecordingError:
            if held:
                yield held
            raise
        if held or not begun:
            yield held


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise RecordingError(f"it cannot be read: {error.strerror or error}") from None


def _unpacked(file: BinaryIO, data: bytes) -> Iterator[bytes]:
    """Yield what gzip packed, of any number of members, a bounded piece at a time."""
    place, size = 0, len(data)
    inflater = zlib.decompressobj(wbits=31)
    fresh = True
    while data:
        while data and not inflater.eof:
            fresh = False
            try:
                piece = inflater.decompress(data, _CHUNK)
            except zlib.error:
                raise RecordingError(
                    "what gzip packed is damaged from here on, or soon behind it", offset=place
                ) from None
            data = inflater.unconsumed_tail
            if piece:
                yield piece
        if inflater.eof:
            data = inflater.unused_data
            if data and not data.strip(b"\0"):
                # Padding behind the end, as tapes have it.
                data = b""
            inflater = zlib.decompressobj(wbits=31)
            fresh = True
        if not data:
            place += size
            data = _read(file, _CHUNK)
            size = len(data)
    if not fresh:
        raise RecordingError("what gzip packed is cut off where the file ends")
