"""The C binding's side: runs under the interpreter that has python3-libvirt, one job a line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

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
    volume.upload(stream, 0, 0)
    fd = os.open(path, os.O_RDONLY)
    stream.sendAll(lambda stream, nbytes, opaque: os.read(fd, nbytes), None)
    stream.finish()
    os.close(fd)


def _download_file(volume: Any, stream: Any, content: bytes, path: str) -> None:
    volume.download(stream, 0, 0)
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    stream.recvAll(lambda stream, data, opaque: os.write(fd, data), None)
    stream.finish()
    os.close(fd)
    os.rename(path + ".new", path)


JOBS: dict[str, Callable[[Any, Any, bytes, str], None]] = {
    "upload": _upload,
    "download": _download,
    "upload-file": _upload_file,
    "download-file": _download_file,
}


def main() -> None:
    """Answer ``{"job", "uri", "pool", "volume", "path", "size"}`` lines with seconds."""
    import libvirt  # type: ignore[import-not-found]

    connections: dict[str, Any] = {}
    content = b""
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = libvirt.open(uri)
        connection = connections[uri]
        if len(content) != request["size"]:
            content = os.urandom(1 << 20) * (request["size"] >> 20)
        volume = connection.storagePoolLookupByName(request["pool"]).storageVolLookupByName(
            request["volume"]
        )
        stream = connection.newStream(0)
        wall, cpu = time.perf_counter(), time.process_time()
        JOBS[request["job"]](volume, stream, content, request["path"])
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
