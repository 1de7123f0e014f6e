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


def _open(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        virtproto.open(uri).close()


def _call(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        connection.get_hostname()


def _list(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        connection.list_all_domains()


def _upload(connection: Any, uri: str, size: int) -> None:
    volume, content = _volume(connection), os.urandom(1 << 20)
    stream = connection.new_stream()
    volume.upload(stream, 0, 0)
    for start in range(0, size, CHUNK):
        stream.send(content[: min(CHUNK, size - start)])
    stream.finish()


def _download(connection: Any, uri: str, size: int) -> None:
    stream = connection.new_stream()
    _volume(connection).download(stream, 0, 0)
    while stream.recv(CHUNK):
        pass
    stream.finish()


def _volume(connection: Any) -> Any:
    return connection.get_storage_pool_by_name("bench").get_volume_by_name("v")


async def _open_aio(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        await (await aio.open(uri)).close()


async def _call_aio(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        await connection.get_hostname()


async def _list_aio(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        await connection.list_all_domains()


async def _upload_aio(connection: Any, uri: str, size: int) -> None:
    volume, content = await _volume_aio(connection), os.urandom(1 << 20)
    stream = connection.new_stream()
    await volume.upload(stream, 0, 0)
    for start in range(0, size, CHUNK):
        await stream.send(content[: min(CHUNK, size - start)])
    await stream.finish()


async def _download_aio(connection: Any, uri: str, size: int) -> None:
    stream = connection.new_stream()
    await (await _volume_aio(connection)).download(stream, 0, 0)
    while await stream.recv(CHUNK):
        pass
    await stream.finish()


async def _volume_aio(connection: Any) -> Any:
    pool = await connection.get_storage_pool_by_name("bench")
    return await pool.get_volume_by_name("v")


JOBS: dict[str, Callable[[Any, str, int], None]] = {
    "open": _open,
    "call": _call,
    "list": _list,
    "up": _upload,
    "down": _download,
}
AIO_JOBS: dict[str, Callable[[Any, str, int], Awaitable[None]]] = {
    "open": _open_aio,
    "call": _call_aio,
    "list": _list_aio,
    "up": _upload_aio,
    "down": _download_aio,
}


def _answer(wall: float, cpu: float) -> None:
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps(answer), flush=True)


def run_sync() -> None:
    """Answer requests with blocking connections."""
    connections: dict[str, virtproto.Connection] = {}
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = virtproto.open(uri)
        job, connection, times = JOBS[request["job"]], connections[uri], request["times"]
        wall, cpu = time.perf_counter(), time.process_time()
        job(connection, uri, times)
        _answer(wall, cpu)


async def run_aio() -> None:
    """Answer requests with asyncio connections."""
    connections: dict[str, aio.Connection] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = await aio.open(uri)
        job, connection, times = AIO_JOBS[request["job"]], connections[uri], request["times"]
        wall, cpu = time.perf_counter(), time.process_time()
        await job(connection, uri, times)
        _answer(wall, cpu)


if __name__ == "__main__":
    if sys.argv[1:] == ["aio"]:
        asyncio.run(run_aio())
    else:
        run_sync()
