"""virtproto's side: the same jobs, blocking or, with the argument ``aio``, with asyncio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import virtproto
from virtproto import aio

CHUNK = 262120


def _upload(volume: Any, stream: Any, content: bytes, path: str) -> None:
    volume.upload(stream, 0, 0)
    for start in range(0, len(content), CHUNK):
        stream.send(content[start : start + CHUNK])
    stream.finish()


def _download(volume: Any, stream: Any, content: bytes, path: str) -> None:
    volume.download(stream, 0, 0)
    while stream.recv(CHUNK):
        pass
    stream.finish()


def _upload_file(volume: Any, stream: Any, content: bytes, path: str) -> None:
    volume.upload_from(path)


def _download_file(volume: Any, stream: Any, content: bytes, path: str) -> None:
    volume.download_to(path, overwrite=True)


async def _upload_aio(volume: Any, stream: Any, content: bytes, path: str) -> None:
    await volume.upload(stream, 0, 0)
    for start in range(0, len(content), CHUNK):
        await stream.send(content[start : start + CHUNK])
    await stream.finish()


async def _download_aio(volume: Any, stream: Any, content: bytes, path: str) -> None:
    await volume.download(stream, 0, 0)
    while await stream.recv(CHUNK):
        pass
    await stream.finish()


async def _upload_file_aio(volume: Any, stream: Any, content: bytes, path: str) -> None:
    await volume.upload_from(path)


async def _download_file_aio(volume: Any, stream: Any, content: bytes, path: str) -> None:
    await volume.download_to(path, overwrite=True)


JOBS: dict[str, Callable[[Any, Any, bytes, str], None]] = {
    "upload": _upload,
    "download": _download,
    "upload-file": _upload_file,
    "download-file": _download_file,
}
AIO_JOBS: dict[str, Callable[[Any, Any, bytes, str], Awaitable[None]]] = {
    "upload": _upload_aio,
    "download": _download_aio,
    "upload-file": _upload_file_aio,
    "download-file": _download_file_aio,
}


class Content:
    """The bytes that are sent, made once for a size."""

    def __init__(self) -> None:
        self.data = b""

    def of(self, size: int) -> bytes:
        """Return ``size`` bytes, a multiple of 1 MiB."""
        if len(self.data) != size:
            self.data = os.urandom(1 << 20) * (size >> 20)
        return self.data


def _answer(wall: float, cpu: float) -> None:
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps(answer), flush=True)


def run_sync() -> None:
    """Answer requests with a blocking connection."""
    connections: dict[str, virtproto.Connection] = {}
    content = Content()
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = virtproto.open(uri)
        connection = connections[uri]
        pool = connection.get_storage_pool_by_name(request["pool"])
        volume = pool.get_volume_by_name(request["volume"])
        data = content.of(request["size"])
        wall, cpu = time.perf_counter(), time.process_time()
        JOBS[request["job"]](volume, connection.new_stream(), data, request["path"])
        _answer(wall, cpu)


async def run_aio() -> None:
    """Answer requests with an asyncio connection."""
    connections: dict[str, aio.Connection] = {}
    content = Content()
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = await aio.open(uri)
        connection = connections[uri]
        pool = await connection.get_storage_pool_by_name(request["pool"])
        volume = await pool.get_volume_by_name(request["volume"])
        data = content.of(request["size"])
        wall, cpu = time.perf_counter(), time.process_time()
        await AIO_JOBS[request["job"]](volume, connection.new_stream(), data, request["path"])
        _answer(wall, cpu)


if __name__ == "__main__":
    if sys.argv[1:] == ["aio"]:
        asyncio.run(run_aio())
    else:
        run_sync()
