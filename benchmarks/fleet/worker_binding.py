"""The C binding's side, under the interpreter that has python3-libvirt: WAY, COUNT and a socket.

``sequential`` opens one connection after another, ``threads`` sixteen at a time, and ``events``
one after another with keepalive and a callback on each, as an agent would.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from benchmarks.fleet.taking_stock import Costs

CALLS = 5


def _loop(libvirt) -> None:  # type: ignore[no-untyped-def]
    while True:
        libvirt.virEventRunDefaultImpl()


def main() -> None:
    """Open, register where that is asked for, call, and print what each step cost."""
    import libvirt  # type: ignore[import-not-found]

    way, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    uri = f"test+unix:///default?socket={path}"
    if way == "events":
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_loop, args=(libvirt,), daemon=True).start()
    libvirt.open(uri).close()
    pool = ThreadPoolExecutor(16)
    list(pool.map(lambda _: None, range(100)))
    costs = Costs()

    def opened(_: int) -> object:
        connection = libvirt.open(uri)
        if way == "events":
            connection.setKeepAlive(5, 5)
            connection.domainEventRegisterAny(
                None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *event: None, None
            )
        return connection

    def call(connection: object) -> None:
        for _ in range(CALLS):
            connection.getLibVersion()  # type: ignore[attr-defined]

    over = pool.map if way == "threads" else map
    connections = list(over(opened, range(count)))
    costs.note("set-up")
    list(over(call, connections))
    costs.note("calls")
    costs.tell()
    # A thread that runs the event loop would be in its way at the end.
    sys.stdout.flush()
    __import__("os")._exit(0)


if __name__ == "__main__":
    main()
