"""A relay between a client and a daemon that notes when each packet passes.

Responsible for passing on bytes and for what can be seen from between the two: calls under way,
and how long pings wait for their answer. Must not change what passes. Descriptors do not pass.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path

from virtproto.protocol.framing import Packet, PacketReader
from virtproto.wire import keepalive
from virtproto.wire.rpc import MESSAGE_TYPE_CALL, MESSAGE_TYPE_REPLY

__all__ = ["PacketWatch"]

_CHUNK = 65536


class PacketWatch:
    """What passes between one client at a time and ``daemon_socket``, during a ``with`` block."""

    def __init__(self, daemon_socket: str) -> None:
        self._daemon_socket = daemon_socket
        self._folder = tempfile.TemporaryDirectory(prefix="vp-", dir="/tmp")
        self._listener = socket.socket(socket.AF_UNIX)
        self._selector = selectors.DefaultSelector()
        self._others: dict[socket.socket, tuple[socket.socket, PacketReader]] = {}
        self._thread = threading.Thread(target=self._carry, name="packet watch", daemon=True)
        self._stop, self._stopped = socket.socketpair()
        self._changed = threading.Condition()
        # Serials of calls without a reply, how many there were at most, and when the daemon was
        # pinged and answered.
        self.under_way: set[int] = set()
        self.most_under_way = 0
        self.pings: list[float] = []
        self.pongs: list[float] = []

    @property
    def path(self) -> str:
        """The socket for clients."""
        return str(Path(self._folder.name) / "s")

    def __enter__(self) -> PacketWatch:
        self._listener.bind(self.path)
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._stopped, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.close()
        self._thread.join()
        for end in (self._listener, self._stopped, *self._others):
            end.close()
        self._selector.close()
        self._folder.cleanup()

    def wait_for_calls(self, number: int) -> None:
        """Wait until so many calls are under way."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.under_way) == number, 10.0), (
                f"{len(self.under_way)} calls are under way"
            )

    def waits_of_pings(self) -> list[float]:
        """Return how long each ping waited for its pong, in seconds; until now where none came."""
        with self._changed:
            pongs = [*self.pongs, *[time.monotonic()] * (len(self.pings) - len(self.pongs))]
            return [pong - ping for ping, pong in zip(self.pings, pongs, strict=True)]

    def _carry(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._stopped:
                    return
                if source is self._listener:
                    self._accept()
                else:
                    self._pass_on(source)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        daemon = socket.socket(socket.AF_UNIX)
        daemon.connect(self._daemon_socket)
        for one, other in ((client, daemon), (daemon, client)):
            self._others[one] = (other, PacketReader())
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        other, reader = self._others[source]
        data = source.recv(_CHUNK)
        if data:
            # Noted before: who gets it may ask for the note at once.
            reader.feed(data)
            with self._changed:
                while (packet := reader.next_packet()) is not None:
                    self._note(packet)
                self._changed.notify_all()
            other.sendall(data)
            return
        self._selector.unregister(source)
        other.shutdown(socket.SHUT_WR)

    def _note(self, packet: Packet) -> None:
        if packet.program == keepalive.PROGRAM:
            # Either side may ask; what a client sends first is its own question.
            times = self.pings if packet.procedure == keepalive.PING else self.pongs
            times.append(time.monotonic())
        elif packet.type == MESSAGE_TYPE_CALL:
            self.under_way.add(packet.serial)
            self.most_under_way = max(self.most_under_way, len(self.under_way))
        elif packet.type == MESSAGE_TYPE_REPLY:
            self.under_way.discard(packet.serial)
