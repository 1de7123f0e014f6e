"""The C binding's side: runs under the interpreter that has python3-libvirt, one job a line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def main() -> None:
    """Answer ``{"job", "socket", "rounds"}`` lines with CPU and wall seconds of the whole job."""
    import libvirt  # type: ignore[import-not-found]

    jobs: dict[str, Callable[[object], object]] = {
        "list": lambda connection: connection.listAllDomains(),  # type: ignore[attr-defined]
        "stats": lambda connection: connection.getAllDomainStats(),  # type: ignore[attr-defined]
    }
    connections: dict[str, object] = {}
    for line in sys.stdin:
        request = json.loads(line)
        path = request["socket"]
        if path not in connections:
            connections[path] = libvirt.open(f"test+unix:///default?socket={path}")
        job, connection = jobs[request["job"]], connections[path]
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(request["rounds"]):
            job(connection)
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
