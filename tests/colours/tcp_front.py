"""A TCP port of the loopback device in front of a unix socket.

Responsible for carrying bytes: a scripted server listens on unix sockets, and some roads lead over
TCP. Must not know what the bytes mean.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

__all__ = ["tcp_front"]


class _Front:
    def __init__(self, path: str) -> None:
        self._path = path
        self._selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._stop, self.stopper = socket.socketpair()
        self._selector.register(self.listener, selectors.EVENT_READ)
        self._selector.register(self._stop, selectors.EVENT_READ)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stop:
                    self._close()
                    return
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:
                    self._carry(key.fileobj, key.data)

    def _accept(self) -> None:
        near, _ = self.listener.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._path)
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = one.recv(65536)
            other.sendall(data)
        if not data:
            for end in (one, other):
                self._selector.unregister(end)
                end.close()

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


@contextlib.contextmanager
def tcp_front(path: str) -> Iterator[int]:
    """Carry connections to a port, which is yielded, on to the socket at ``path``."""
    front = _Front(path)
    thread = threading.Thread(target=front.run, name="tcp-front")
    thread.start()
    try:
        yield front.listener.getsockname()[1]
    finally:
        front.stopper.close()
        thread.join()
