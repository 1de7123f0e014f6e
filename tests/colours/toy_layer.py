"""A layer as TLS is one, made to be awkward: records of odd sizes, and words of its own.

Responsible for what a layer's users have to cope with: a record that comes in pieces, several that
come at once, records that mean nothing to the packets and want an answer, an end that is said or
not, and trouble. Must not know what travels in it.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

__all__ = ["ToyLayer", "ToySocket", "carried", "front"]

_DATA, _QUESTION, _ANSWER, _END = b"DQAE"
_KEY = 0x5A
_TABLE = bytes(each ^ _KEY for each in range(256))
# How much goes into one record, over and over.
SIZES = (1, 4096, 3, 700, 29, 16384, 8192, 2, 65000)


class ToyLayer:
    """Turns each byte into another, in records; every few of them it asks its peer something."""

    def __init__(self, ask_every: int = 5) -> None:
        self._sizes = itertools.cycle(SIZES)
        self._ask_every = ask_every
        self._made = 0
        self._to_say = b""
        self._came = b""
        self.has_ended = False
        self.asked = self.answered = 0

    def wrap(self, data: bytes | memoryview) -> bytes:
        """Return records for ``data``, behind what this layer itself has to say."""
        data = bytes(data)
        records, self._to_say = [self._to_say], b""
        start = 0
        while start < len(data):
            size = next(self._sizes)
            records.append(self._record(_DATA, data[start : start + size]))
            start += size
            self._made += 1
            if self._made % self._ask_every == 0:
                self.asked += 1
                records.append(self._record(_QUESTION, b"?" * (self._made % 7)))
        return b"".join(records)

    def unwrap(self, data: bytes | memoryview) -> bytes:
        """Return what the records hold that are complete. Raises ConnectionError."""
        if not data and self._came and not self.has_ended:
            raise ConnectionError("the toy's record was cut short")
        self._came += bytes(data)
        plain = []
        while len(self._came) >= 4:
            size = int.from_bytes(self._came[1:4], "big")
            if len(self._came) < 4 + size:
                break
            kind, content = self._came[0], self._came[4 : 4 + size]
            self._came = self._came[4 + size :]
            if kind == _DATA:
                plain.append(content.translate(_TABLE))
            elif kind == _QUESTION:
                self._to_say += self._record(_ANSWER, content)
            elif kind == _ANSWER:
                self.answered += 1
            elif kind == _END:
                self.has_ended = True
            else:
                raise ConnectionError("the toy was broken")
        return b"".join(plain)

    def end(self) -> bytes:
        """Return the record that says that nothing follows."""
        return self._record(_END, b"")

    def _record(self, kind: int, data: bytes) -> bytes:
        return bytes([kind]) + len(data).to_bytes(3, "big") + data.translate(_TABLE)


class ToySocket:
    """The peer's end of a toy: what a blocking socket is, for one thread that reads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.layer = ToyLayer()
        self._lock = threading.Lock()

    def recv(self, size: int) -> bytes:
        """Return what can be read, b"" at the end."""
        while True:
            data = self.sock.recv(size)
            with self._lock:
                plain = self.layer.unwrap(data)
                said = self.layer.wrap(b"")
                if said:
                    self.sock.sendall(said)
            if plain or not data:
                return plain

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        with self._lock:
            self.sock.sendall(self.layer.wrap(data))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


@contextlib.contextmanager
def front(
    plain: socket.socket,
    theirs: socket.socket | None = None,
    make: Callable[[socket.socket], Any] = ToySocket,
) -> Iterator[tuple[socket.socket, Any]]:
    """Have a toy in front of a plain socket: yields this side's end of it, and the other.

    With ``theirs`` that is the other, and this side has its peer. ``make`` makes the toy.
    """
    ours, other = socket.socketpair()
    toy = make(theirs or other)
    with _between((toy.recv, toy.sendall, toy.sock), (plain.recv, plain.sendall, plain)):
        yield ours, toy
    for each in (ours, other, toy, plain):
        each.close()


@contextlib.contextmanager
def carried(one: socket.socket, other: socket.socket) -> Iterator[None]:
    """Carry bytes between two sockets as they are, and leave both open."""
    stop, stopped = socket.socketpair()
    ends = {one: other, other: one}

    def carry() -> None:
        while True:
            for each in select.select([*ends, stopped], [], [])[0]:
                if each is stopped:
                    return
                if data := each.recv(65536):
                    ends[each].sendall(data)

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield
    finally:
        stop.close()
        thread.join()
        stopped.close()


_End: TypeAlias = tuple[Callable[[int], bytes], Callable[[bytes], object], socket.socket]


@contextlib.contextmanager
def _between(one: _End, other: _End) -> Iterator[None]:
    threads = [
        threading.Thread(target=_carry, args=(*ends,)) for ends in ((one, other), (other, one))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for _, _, sock in (one, other):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def _carry(one: _End, other: _End) -> None:
    with contextlib.suppress(OSError):
        while data := one[0](65536):
            other[1](data)
    with contextlib.suppress(OSError):
        other[2].shutdown(socket.SHUT_WR)
