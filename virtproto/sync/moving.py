"""Bytes from a file of this machine to a stream, and from a stream to a file.

Responsible for doing that with few copies and system calls. Must not know what the stream is for,
nor what a file has to look like in the end.
"""

from __future__ import annotations

from time import monotonic

from virtproto.errors import ArgumentTypeError
from virtproto.model.stream_use import CHUNK, STOP_AT_HOLE
from virtproto.model.transfers import PACKET, PIECE
from virtproto.transport.room import LARGE

from .packets import FilePart, OpenFile
from .traffic import run_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from virtproto.model.transfers import Meter, ProgressFunction
    from virtproto.transport.local_files import Source, Target

    from .stream import Stream

    T = TypeVar("T")

__all__ = ["check_progress", "file_to_stream", "report", "run_local", "stream_to_file"]


def check_progress(progress: ProgressFunction | None) -> None:
    """Raise ArgumentTypeError for an asynchronous function, which nobody here would wait for."""
    from inspect import iscoroutinefunction

    # Also of an object that can be called: its class has the function.
    called = getattr(type(progress), "__call__", None)  # noqa: B004
    if iscoroutinefunction(progress) or iscoroutinefunction(called):
        raise ArgumentTypeError("progress: expected a plain function, not an asynchronous one")


def run_local(function: Callable[..., T], *args: object) -> T:
    """Do something with a file, which may block."""
    return function(*args)


def file_to_stream(source: Source, stream: Stream, meter: Meter, *, sparse: bool) -> None:
    """Send all of a file, with its holes as holes if ``sparse``."""
    while True:
        is_data, length = source.next_section(find_holes=sparse)
        if length == 0:
            return
        if is_data:
            if not _send_section(source, stream, meter, length):
                return
        else:
            assert length is not None
            stream.send_hole(length)
            source.skip(length)
            meter.holes += length
            report(meter)


def _send_section(source: Source, stream: Stream, meter: Meter, length: int | None) -> bool:
    """Send a stretch of data, up to the end for None; return False at the end."""
    if source.is_regular and length is not None:
        _send_by_the_system(source, stream, meter, length)
        return True
    end = stream._usable()
    while length is None or length:
        data = source.read(PIECE if length is None else min(PIECE, length))
        if not data:
            return False
        end.send_data(data)
        meter.data += len(data)
        if length is not None:
            length -= len(data)
        report(meter)
    return source.size is not None


def _send_by_the_system(source: Source, stream: Stream, meter: Meter, length: int) -> None:
    """Send a stretch of a file without its content coming to this process."""
    end = stream._usable()
    file = OpenFile(source.fd)
    while length:
        size = min(PACKET, length)
        source.foresee(size, min(PACKET, length - size))
        if size < LARGE:
            end.send_data(source.read(size))
        else:
            part = FilePart(file, source.place, size)
            end.send_large(part)
            if part.error is not None:
                source.refuse(part.error)
            source.skip(size)
        # What is missing went out as zeros.
        source.check_unchanged()
        meter.data += size
        length -= size
        report(meter)


def stream_to_file(stream: Stream, target: Target, meter: Meter) -> None:
    """Write all that comes to a file, and make holes where holes come."""
    parts: list[bytes] = []
    size = 0
    while (data := stream.recv(PIECE, STOP_AT_HOLE)) != b"":
        if data is not None:
            parts.append(data)
            size += len(data)
            if size < CHUNK:
                # Nobody waits for it in the file; between two large packets comes a tiny one.
                continue
        if parts:
            target.write(parts)
            meter.data += size
            parts.clear()
            size = 0
        if data is None:
            length = stream.recv_hole()
            target.skip(length)
            meter.holes += length
        report(meter)
    if parts:
        target.write(parts)
        meter.data += size


def report(meter: Meter, *, at_end: bool = False) -> None:
    """Call the progress function if it is time."""
    if meter.progress is not None and meter.due(monotonic(), at_end=at_end):
        run_handler(meter.progress, meter.done, meter.total)
