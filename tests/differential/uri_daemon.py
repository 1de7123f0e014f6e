"""A daemon that only opens connections and remembers how: on any socket, pipe or TLS session.

Responsible for what a client hears while it opens a connection, and for the names, flags and
procedures that it sent. Speaks the protocol by hand, so that it shares no mistake with virtproto.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Protocol

__all__ = ["Conversation", "Stream"]

_HEADER = struct.Struct(">IIIiiIi")
_REMOTE = 0x20008086
_OPEN, _CLOSE, _FEATURE, _AUTH_LIST, _POLKIT, _GET_URI = 1, 2, 60, 66, 70, 110
_OWN_URI = b"test:///chosen/by/the/daemon"


class Stream(Protocol):
    """A blocking connection."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class Conversation:
    """One client's connection, from its first byte to its last.

    ``name`` and ``flags`` are those of CONNECT_OPEN, None until it came; ``calls`` are the numbers
    of the procedures before it. ``offers`` are the kinds of authentication that are offered.
    """

    def __init__(self, stream: Stream, offers: tuple[int, ...]) -> None:
        self._stream = stream
        self._offers = offers
        self.calls: list[int] = []
        self.name: str | None = None
        self.flags = 0

    def run(self) -> None:
        """Answer until the client goes."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                self._answer()

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._stream.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _answer(self) -> None:
        start = self._read(4)
        packet = start + self._read(int.from_bytes(start, "big") - 4)
        _, program, version, procedure, kind, serial, _ = _HEADER.unpack_from(packet)
        if kind != 0:
            return
        payload = packet[_HEADER.size :]
        reply = self._reply(procedure, payload) if program == _REMOTE else None
        status = 0 if reply is not None else 1
        body = _unknown(procedure) if reply is None else reply
        size = _HEADER.size + len(body)
        self._stream.sendall(
            _HEADER.pack(size, program, version, procedure, 1, serial, status) + body
        )

    def _reply(self, procedure: int, payload: bytes) -> bytes | None:
        """Return the reply's body, None for what this daemon does not know."""
        if self.name is None and procedure != _FEATURE:
            self.calls.append(procedure)
        match procedure:
            case n if n == _AUTH_LIST:
                return struct.pack(f">I{len(self._offers)}i", len(self._offers), *self._offers)
            case n if n == _POLKIT:
                return struct.pack(">i", 1)
            case n if n == _OPEN:
                _there, size = struct.unpack_from(">II", payload)
                self.name = payload[8 : 8 + size].decode("utf-8", "surrogateescape")
                (self.flags,) = struct.unpack_from(">I", payload, len(payload) - 4)
                return b""
            case n if n == _FEATURE:
                return struct.pack(">i", 0)
            case n if n == _GET_URI:
                return _string(_OWN_URI)
            case n if n == _CLOSE:
                return b""
        return None


def _unknown(procedure: int) -> bytes:
    """Return the body of an error: code, domain, message, level and six absent values."""
    message = f"unknown procedure: {procedure}".encode()
    absent = struct.pack(">I", 0)
    return (
        struct.pack(">iiI", 39, 7, 1)
        + _string(message)
        + struct.pack(">i", 2)
        + absent * 4
        + struct.pack(">ii", 0, 0)
        + absent
    )
