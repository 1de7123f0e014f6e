"""The C binding's side: runs under the interpreter that has python3-libvirt, one job a line."""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Hear ``count`` lifecycle events of ``uri`` a line; answer with CPU and wall seconds.

    A line with "ready" says that the daemon was asked for them.
    """
    import libvirt  # type: ignore[import-not-found]

    libvirt.virEventRegisterDefaultImpl()
    connections: dict[str, object] = {}
    heard = 0

    def callback(*_: object) -> None:
        nonlocal heard
        heard += 1

    for line in sys.stdin:
        request = json.loads(line)
        uri, count = request["uri"], request["count"]
        if uri not in connections:
            connections[uri] = libvirt.open(uri)
        connection = connections[uri]
        heard = 0
        wall, cpu = time.perf_counter(), time.process_time()
        number = connection.domainEventRegisterAny(  # type: ignore[attr-defined]
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, callback, None
        )
        print(json.dumps({"ready": True}), flush=True)
        while heard < count:
            libvirt.virEventRunDefaultImpl()
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        connection.domainEventDeregisterAny(number)  # type: ignore[attr-defined]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
