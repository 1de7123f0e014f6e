"""Bytes from a file of this machine to a stream, and from a stream to a file.

Responsible for doing that without keeping the event loop from its other work: files are read and
written in a thread of the loop's default executor, a piece at a time, while the piece before is on
its way. Must not know what the stream is for, nor what a file has to look like in the end.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from virtproto.model.stream_use import STOP_AT_HOLE
from virtproto.model.transfers import PIECE

from .traffic import run_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from virtproto.model.transfers import Meter, ProgressFunction
    from virtproto.transport.local_files import Source, Target

    from .stream import Stream

    T = TypeVar("T")

__all__ = ["check_progress", "file_to_stream", "report", "run_local", "stream_to_file"]


def check_progress(progress: ProgressFunction | None) -> None:
    """Refuse nothing: what is asynchronous is waited for."""


async def run_local(function: Callable[..., T], *args: object) -> T:
    """Do something with a file, which may block, and leave the file alone only when it is done."""
    return await _done(_begin(function, *args))


def _begin(function: Callable[..., T], *args: object) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(None, function, *args)


async def _done(work: asyncio.Future[T]) -> T:
    """Wait for what a thread does with a file, also when cancelled: the file is still in use."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not work.cancelled():
            work.exception()
        raise cancelled
    return work.result()


async def file_to_stream(source: Source, stream: Stream, meter: Meter, *, sparse: bool) -> None:
    """Send all of a file, with its holes as holes if ``sparse``."""
    while True:
        is_data, length = await run_local(_next_section, source, sparse)
        if length == 0:
            return
        if is_data:
            if not await _send_section(source, stream, meter, length):
                return
        else:
            await stream.send_hole(length)
            source.skip(length)
            meter.holes += length
            await report(meter)


def _next_section(source: Source, sparse: bool) -> Any:
    return source.next_section(find_holes=sparse)


async def _send_section(source: Source, stream: Stream, meter: Meter, length: int | None) -> bool:
    """Send a stretch of data, up to the end for None; return False at the end."""
    end = stream._usable()
    left = length
    reading: asyncio.Future[bytes] | None = None
    try:
        while True:
            data = await _done(reading or _begin(source.read, _piece(left)))
            reading = None
            if left is not None:
                left -= len(data)
            if data and left != 0:
                reading = _begin(source.read, _piece(left))
            if not data:
                return False
            await end.send_data(data)
            meter.data += len(data)
            await report(meter)
            if left == 0:
                return source.size is not None
    finally:
        if reading is not None:
            await asyncio.wait([reading])
            reading.exception()


def _piece(left: int | None) -> int:
    return PIECE if left is None else min(PIECE, left)


async def stream_to_file(stream: Stream, target: Target, meter: Meter) -> None:
    """Write all that comes to a file, and make holes where holes come."""
    parts: list[bytes] = []
    size = 0
    writing: asyncio.Future[None] | None = None
    try:
        while (data := await stream.recv(PIECE, STOP_AT_HOLE)) != b"":
            if data is not None:
                parts.append(data)
                size += len(data)
                if size < PIECE:
                    # Nobody waits for it in the file, and a thread's turn costs more than a packet.
                    continue
            if writing is not None:
                await _done(writing)
                writing = None
            if parts:
                writing = _begin(target.write, parts)
                meter.data += size
                parts, size = [], 0
            if data is None:
                if writing is not None:
                    await _done(writing)
                    writing = None
                length = await stream.recv_hole()
                await run_local(target.skip, length)
                meter.holes += length
            await report(meter)
        if writing is not None:
            work, writing = writing, None
            await _done(work)
        if parts:
            await run_local(target.write, parts)
            meter.data += size
    finally:
        if writing is not None:
            await asyncio.wait([writing])
            writing.exception()


async def report(meter: Meter, *, at_end: bool = False) -> None:
    """Call the progress function if it is time."""
    if meter.progress is not None and meter.due(monotonic(), at_end=at_end):
        await run_handler(meter.progress, meter.done, meter.total)
