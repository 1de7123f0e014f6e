"""virtproto's side: the same jobs, with blocking calls."""

from __future__ import annotations

import json
import os
import sys
import time

import virtproto

CHUNK = 262120


def _do(job: str, connection: virtproto.Connection, content: bytes, count: int) -> None:
    if job == "call":
        for _ in range(count):
            connection.get_library_version()
        return
    volume = connection.get_storage_pool_by_name("bench").get_volume_by_name("v")
    with connection.new_stream() as stream:
        if job == "upload":
            volume.upload(stream, 0, 0)
            for start in range(0, len(content), CHUNK):
                stream.send(content[start : start + CHUNK])
        else:
            volume.download(stream, 0, 0)
            while stream.recv(CHUNK):
                pass


def main() -> None:
    """Answer ``{"job", "uri", "size", "count"}`` lines with seconds."""
    connections: dict[str, virtproto.Connection] = {}
    content = b""
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = virtproto.open(uri)
        if len(content) != request["size"]:
            content = os.urandom(1 << 20) * (request["size"] >> 20)
        wall, cpu = time.perf_counter(), time.process_time()
        _do(request["job"], connections[uri], content, request["count"])
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)
    for connection in connections.values():
        connection.close()


if __name__ == "__main__":
    main()
