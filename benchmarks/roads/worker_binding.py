"""The C binding's side: runs under the interpreter that has python3-libvirt, one job a line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

CHUNK = 262120


def _opened(uri: str) -> Any:
    import libvirt  # type: ignore[import-not-found]

    kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
    return libvirt.openAuth(uri, [kinds, lambda *_: -1, None], 0)


def _open(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        _opened(uri).close()


def _call(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        connection.getHostname()


def _list(connection: Any, uri: str, times: int) -> None:
    for _ in range(times):
        connection.listAllDomains()


def _upload(connection: Any, uri: str, size: int) -> None:
    volume, content = _volume(connection), os.urandom(1 << 20)
    stream = connection.newStream(0)
    volume.upload(stream, 0, 0)
    for start in range(0, size, CHUNK):
        rest = content[: min(CHUNK, size - start)]
        while rest:
            rest = rest[stream.send(rest) :]
    stream.finish()


def _download(connection: Any, uri: str, size: int) -> None:
    stream = connection.newStream(0)
    _volume(connection).download(stream, 0, 0)
    while stream.recv(CHUNK):
        pass
    stream.finish()


def _volume(connection: Any) -> Any:
    return connection.storagePoolLookupByName("bench").storageVolLookupByName("v")


JOBS: dict[str, Callable[[Any, str, int], None]] = {
    "open": _open,
    "call": _call,
    "list": _list,
    "up": _upload,
    "down": _download,
}


def main() -> None:
    """Answer ``{"job", "uri", "times"}`` lines with seconds."""
    connections: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        uri = request["uri"]
        if uri not in connections:
            connections[uri] = _opened(uri)
        job, connection, times = JOBS[request["job"]], connections[uri], request["times"]
        wall, cpu = time.perf_counter(), time.process_time()
        job(connection, uri, times)
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
