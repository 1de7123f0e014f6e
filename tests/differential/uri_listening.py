"""Everything that a client can reach: sockets, ports, and the programs that clients run.

Responsible for listening, and for noting who came by which way and what was said. One case is
watched at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.differential.uri_daemon import Conversation, Stream
from tests.differential.uri_place import CONTROL

__all__ = ["Listening", "PLAIN_PORTS", "TLS_PORTS"]

PLAIN_PORTS = (16509, 26509)
TLS_PORTS = (16514, 26514)

_PATIENCE_S = 3.0
_ABSTRACT = 108  # struct sockaddr_un


class Listening:
    """All that listens, from ``start`` to the end of the process, and for the time of a case."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._offers: tuple[int, ...] = ()
        self._threads: list[threading.Thread] = []
        self._seen: dict[str, list[Any]] = {}
        self._listeners: dict[str, tuple[socket.socket, threading.Thread]] = {}
        self._started: str | None = None

    def start(self) -> None:
        """Listen on the ports, and for programs' reports."""
        for port in PLAIN_PORTS:
            self._serve(_tcp_listener(port), self._plain)
        for port in TLS_PORTS:
            self._serve(_tcp_listener(port), self._secured)
        control = socket.socket(socket.AF_UNIX)
        control.bind(CONTROL)
        control.listen()
        self._serve(control, self._program)

    @contextlib.contextmanager
    def watching(
        self, sockets: tuple[str, ...], offers: tuple[int, ...], started: str | None
    ) -> Iterator[dict[str, list[Any]]]:
        """Listen at unix ``sockets`` and yield what happens meanwhile, complete at the end.

        ``started`` is where a daemon listens that is started meanwhile. Keys: "opened", "ran",
        "tls", "ssh".
        """
        self._offers = offers
        self._started = started
        self._threads = []
        self._seen = {"opened": [], "ran": [], "tls": [], "ssh": []}
        self._listeners = {path: self._unix(path) for path in sockets}
        try:
            yield self._seen
        finally:
            for path, (listener, accepting) in self._listeners.items():
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join()
                if not path.startswith("@"):
                    os.unlink(path)
            for thread in list(self._threads):
                thread.join(_PATIENCE_S)

    def note(self, kind: str, what: Any) -> None:
        """Add to what is seen."""
        self._seen[kind].append(what)

    def converse(self, stream: Stream, way: str) -> None:
        """Be a daemon for whoever is at the other end, until he goes."""
        conversation = Conversation(stream, self._offers)
        conversation.run()
        if conversation.name is None:
            opened: dict[str, Any] = {"way": way, "calls": conversation.calls}
        else:
            opened = {
                "way": way,
                "calls": conversation.calls,
                "name": conversation.name,
                "flags": conversation.flags,
            }
        if conversation.calls:
            self.note("opened", opened)

    def converse_beside(self, sock: socket.socket, way: str) -> None:
        """Do the same on a thread, and close ``sock``."""
        self._begin(self._converse_on, sock, way)

    def _begin(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _unix(self, path: str) -> tuple[socket.socket, threading.Thread]:
        listener = socket.socket(socket.AF_UNIX)
        if path.startswith("@"):
            # As libvirt's own daemons do it: the name is filled up with NULs.
            listener.bind(("\0" + path[1:]).encode().ljust(_ABSTRACT, b"\0"))
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            listener.bind(path)
            os.chmod(path, 0o777)
        listener.listen()
        return listener, self._serve(listener, lambda sock: self._converse_on(sock, f"unix:{path}"))

    def _serve(
        self, listener: socket.socket, visit: Callable[[socket.socket], None]
    ) -> threading.Thread:
        def accepting() -> None:
            with listener, contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    self._begin(visit, sock)

        thread = threading.Thread(target=accepting, daemon=True)
        thread.start()
        return thread

    def _converse_on(self, sock: socket.socket, way: str) -> None:
        with sock:
            self.converse(sock, way)

    def _plain(self, sock: socket.socket) -> None:
        with sock:
            self.converse(sock, f"tcp:{_own_address(sock)}")

    def _secured(self, sock: socket.socket) -> None:
        address = _own_address(sock)
        sock.settimeout(_PATIENCE_S)
        try:
            secured = self._tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        with secured, contextlib.suppress(OSError):
            shown: Any = secured.getpeercert() or {}
            subject = {name: value for ((name, value),) in shown.get("subject", ())}
            secured.sendall(b"\x01")
            # A client that does not like the certificate goes now, with or without a word.
            self.note("tls", {"client": subject.get("commonName"), "version": secured.version()})
            self.converse(secured, f"tls:{address}")

    def _program(self, control: socket.socket) -> None:
        with control:
            data, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 1)
            while not data.endswith(b"\n"):
                more = control.recv(1 << 20)
                if not more:
                    return
                data += more
            report = json.loads(data)
            self.note("ran", report)
            name = Path(report["argv"][0]).name
            if name.endswith("d"):
                os.close(descriptors[0])
                if self._started is not None:
                    self._listeners[self._started] = self._unix(self._started)
                return
            with socket.socket(fileno=descriptors[0]) as stream:
                self.converse(stream, f"program:{name}")


def _tcp_listener(port: int) -> socket.socket:
    return socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16
    )


def _own_address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
