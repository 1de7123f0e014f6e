"""A byte relay: unix socket, then TCP over the loopback device, then the daemon's unix socket.

Wireshark can capture on the loopback device but not on a unix socket, hence the detour.
Responsible for carrying and for remembering every byte of each connection; it must not know what
the bytes mean.
"""

from __future__ import annotations

import os
import selectors
import socket
import tempfile
import threading
from pathlib import Path

__all__ = ["Recording", "TcpRelay"]

_CHUNK = 256 * 1024


class Recording:
    """What went over one connection, per direction, in full."""

    def __init__(self) -> None:
        self.from_client = bytearray()
        self.from_daemon = bytearray()
        self.ended = threading.Event()


class TcpRelay:
    """A relay to ``daemon_socket``, listening at ``socket_path`` during a ``with`` block."""

    def __init__(self, daemon_socket: str, *, abstract: bool = False) -> None:
        """Describe it; ``abstract`` makes it listen where no file stands for the socket."""
        self.recordings: list[Recording] = []
        self._daemon_socket = daemon_socket
        self._abstract = abstract
        self._folder = tempfile.TemporaryDirectory(prefix="vp-", dir="/tmp")
        self._front = socket.socket(socket.AF_UNIX)
        self._middle = socket.socket(socket.AF_INET)
        self._selector = selectors.DefaultSelector()
        self._routes: dict[socket.socket, tuple[socket.socket, bytearray | None, Recording]] = {}
        self._wakeup, self._wakeup_write = socket.socketpair()
        self._thread = threading.Thread(target=self._carry, name="relay", daemon=True)

    @property
    def socket_path(self) -> str:
        """Path of the unix socket for clients, or "@name" where it has none."""
        path = str(Path(self._folder.name) / "relay.sock")
        return f"@{path}" if self._abstract else path

    def _address(self) -> bytes:
        name = self.socket_path.encode()
        # As libvirt's daemons do it, an abstract name is filled up with NULs.
        return (b"\0" + name[1:]).ljust(108, b"\0") if self._abstract else name

    @property
    def port(self) -> int:
        """The TCP port on the loopback device that everything passes through."""
        port: int = self._middle.getsockname()[1]
        return port

    def __enter__(self) -> TcpRelay:
        self._front.bind(self._address())
        os.chmod(self._folder.name, 0o755)
        self._middle.bind(("127.0.0.1", 0))
        for listener in (self._front, self._middle):
            listener.listen()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._wakeup_write.close()
        self._thread.join()
        for end in (self._front, self._middle, self._wakeup, *self._routes):
            end.close()
        self._selector.close()
        self._folder.cleanup()

    def _carry(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wakeup:
                    return
                if key.fileobj is self._front:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._front.accept()
        near = socket.create_connection(("127.0.0.1", self.port))
        far, _ = self._middle.accept()
        daemon = socket.socket(socket.AF_UNIX)
        daemon.connect(self._daemon_socket)
        record = Recording()
        self.recordings.append(record)
        for source, target, kept in (
            (client, near, record.from_client),
            (far, daemon, None),
            (daemon, far, record.from_daemon),
            (near, client, None),
        ):
            self._routes[source] = (target, kept, record)
            self._selector.register(source, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        target, kept, record = self._routes[source]
        try:
            data = source.recv(_CHUNK)
            if data:
                target.sendall(data)
            else:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(source)
            if kept is record.from_daemon:
                record.ended.set()
        elif kept is not None:
            kept += data
