"""A daemon double that answers with bytes prepared beforehand, so that only the client costs.

It knows the opening sequence and whatever replies it is given; it parses nothing but headers. It
runs as a process of its own, because the clients' CPU time is what is measured.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import struct
import threading
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

HEADER = struct.Struct(">IIIiiIi")
REMOTE_PROGRAM = 0x20008086

CONNECT_OPEN, CONNECT_CLOSE = 1, 2
CONNECT_SUPPORTS_FEATURE, AUTH_LIST = 60, 66

# Payloads of the calls that opening and closing a connection make: no authentication is asked for
# and no optional feature is offered, which is what keeps both clients to the same few calls.
OPENING: Mapping[int, bytes] = {
    CONNECT_OPEN: b"",
    CONNECT_CLOSE: b"",
    CONNECT_SUPPORTS_FEATURE: struct.pack(">i", 0),
    AUTH_LIST: struct.pack(">Ii", 1, 0),
}


def _read_exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _serve_connection(
    connection: socket.socket, replies: Mapping[int, bytes], bursts: Mapping[int, bytes]
) -> None:
    with connection:
        try:
            while True:
                head = _read_exactly(connection, HEADER.size)
                length, program, version, procedure, _type, serial, _status = HEADER.unpack(head)
                _read_exactly(connection, length - HEADER.size)
                payload = replies[procedure]
                connection.sendall(
                    HEADER.pack(
                        HEADER.size + len(payload), program, version, procedure, 1, serial, 0
                    )
                    + payload
                )
                connection.sendall(bursts.get(procedure, b""))
                if procedure == CONNECT_CLOSE:
                    return
        except (EOFError, ConnectionError):
            return


def serve(
    path: str, replies: Mapping[int, bytes], bursts: Mapping[int, bytes], cpu: int | None
) -> None:
    """Answer clients on the unix socket ``path`` until the process is ended.

    ``bursts`` are whole packets to send after the reply to a procedure.
    """
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    answers = {**OPENING, **replies}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=_serve_connection, args=(connection, answers, bursts), daemon=True
            ).start()


class CannedDaemon:
    """A running canned daemon; use it as a context manager."""

    def __init__(
        self,
        path: Path,
        replies: Mapping[int, bytes],
        cpu: int | None = None,
        bursts: Mapping[int, bytes] | None = None,
    ) -> None:
        self.path = path
        self._process: BaseProcess = multiprocessing.get_context("fork").Process(
            target=serve, args=(str(path), dict(replies), dict(bursts or {}), cpu), daemon=True
        )

    def __enter__(self) -> CannedDaemon:
        self._process.start()
        for _ in range(500):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.path))
                except OSError:
                    self._process.join(0.01)
                    continue
                return self
        raise RuntimeError(f"the canned daemon did not listen on {self.path}")

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.join()
