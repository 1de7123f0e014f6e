"""The C binding's side: runs under the interpreter that has python3-libvirt, one job a line."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

CHUNK = 262120


def _do(job: str, connection: Any, content: bytes, count: int) -> None:
    if job == "call":
        for _ in range(count):
            connection.getLibVersion()
        return
    volume = connection.storagePoolLookupByName("bench").storageVolLookupByName("v")
    stream = connection.newStream(0)
    if job == "upload":
        volume.upload(stream, 0, 0)
        for start in range(0, len(content), CHUNK):
            stream.send(content[start : start + CHUNK])
    else:
        volume.download(stream, 0, 0)
        while stream.recv(CHUNK):
            pass
    stream.finish()


def main() -> None:
    """Answer ``{"job", "uri", "size", "count"}`` lines with seconds."""
    import libvirt  # type: ignore[import-not-found]

    connections: dict[str, Any] = {}
    content = b""
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = libvirt.open(uri)
        if len(content) != request["size"]:
            content = os.urandom(1 << 20) * (request["size"] >> 20)
        wall, cpu = time.perf_counter(), time.process_time()
        _do(request["job"], connections[uri], content, request["count"])
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
