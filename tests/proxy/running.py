"""A carriage on a thread of its own, for tests to be the client, the daemon and the reader.

Responsible for the thread, the pipe and what was read from it. Must not know what a test sends.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from virtproto.proxy.carriage import Carriage
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import BYTES, END, FROM_CLIENT, NOTE, PACKET, Record
from virtproto.transport.road import Road

__all__ = ["LIMIT_S", "RunningCarriage", "receive"]

LIMIT_S = 20.0
T = TypeVar("T")


def receive(sock: socket.socket, size: int) -> bytes:
    """Return exactly ``size`` bytes, or what came before the end."""
    sock.settimeout(LIMIT_S)
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(1 << 18, size - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


class RunningCarriage:
    """It carries during a ``with`` block; what it told is complete after that."""

    def __init__(self, *, payloads: bool = False, reads: bool = True) -> None:
        self._reader, writer = os.pipe()
        self._data = bytearray()
        self.ended: queue.Queue[int] = queue.Queue()
        self.carriage = Carriage(writer, payloads=payloads, when_ended=self.ended.put)
        self._failure: BaseException | None = None
        self._reads = threading.Event()
        if reads:
            self._reads.set()
        self._threads = [
            threading.Thread(target=self._carry, name="carriage"),
            threading.Thread(target=self._read, name="reader"),
        ]

    def __enter__(self) -> RunningCarriage:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._reads.set()
        self.carriage.from_thread(self.carriage.stop)
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive(), thread.name
        if self._failure is not None:
            raise self._failure

    def _carry(self) -> None:
        try:
            self.carriage.run()
        except BaseException as error:
            self._failure = error
        finally:
            self.carriage.close()

    def _read(self) -> None:
        self._reads.wait(LIMIT_S)
        while data := os.read(self._reader, 1 << 16):
            self._data += data
        os.close(self._reader)

    def inside(self, function: Callable[[], T]) -> T:
        """Return what a function returns in the loop."""
        answers: queue.Queue[T | BaseException] = queue.Queue()

        def call() -> None:
            try:
                answers.put(function())
            except BaseException as error:
                answers.put(error)

        self.carriage.from_thread(call)
        answer = answers.get(timeout=LIMIT_S)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def lead(self, client: socket.socket, road: Road) -> int:
        """Begin a conversation."""
        return self.inside(lambda: self.carriage.add(client, road, {"client": "a test"}))

    def pair(self, family: int = socket.AF_UNIX) -> tuple[socket.socket, socket.socket]:
        """Return a client's and a daemon's socket, between which is the carriage."""
        client, near = sockets(family)
        far, daemon = sockets(family)
        self.lead(near, Road(far, "the daemon"))
        return client, daemon

    def records(self) -> list[Record]:
        """Return what was told, once the block is over."""
        reader = RecordReader()
        found = reader.feed(bytes(self._data))
        assert reader.error is None
        return found

    def bodies(self, *, from_client: bool, conversation: int = 1) -> list[bytes]:
        """Return the packets and bytes of one direction."""
        return [
            record.body
            for record in self.records()
            if record.conversation == conversation
            and record.kind in (PACKET, BYTES)
            and record.from_client == from_client
        ]

    def notes(self) -> list[str]:
        """Return the texts of all notes."""
        return [record.body.decode() for record in self.records() if record.kind == NOTE]

    def ends(self, conversation: int = 1) -> list[bool]:
        """Return the ends of a conversation's directions in order: whether it is the client's."""
        return [
            bool(record.flags & FROM_CLIENT)
            for record in self.records()
            if record.kind == END and record.conversation == conversation
        ]


def sockets(family: int) -> tuple[socket.socket, socket.socket]:
    """Return two sockets that are connected to each other."""
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _address = server.accept()
    return near, far
