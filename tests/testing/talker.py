"""A client on a blocking socket, as small as can be."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    Event,
)
from virtproto.wire import remote
from virtproto.xdr.procedure import Procedure


class Talker:
    """A client on a blocking socket, as small as can be."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10)
        self.session = ClientSession()
        self.reads: list[int] = []

    def send(self, procedure: Procedure[Any, Any] | int, args: bytes = b"") -> int:
        """Send a call; return its serial."""
        number = procedure if isinstance(procedure, int) else procedure.number
        opens_stream = not isinstance(procedure, int) and procedure.read_stream
        serial = self.session.send_call(remote.PROGRAM, 1, number, args, opens_stream=opens_stream)
        self.flush()
        return serial

    def flush(self) -> None:
        """Write what the session has to send; a server that has hung up is seen on reading."""
        if chunks := self.session.data_to_send():
            with contextlib.suppress(BrokenPipeError):
                self.sock.sendall(b"".join(chunks))

    def events(self, count: int = 1) -> list[Event]:
        """Read until there are so many events, or the end."""
        found: list[Event] = []
        while len(found) < count:
            data = self.sock.recv(65536)
            self.reads.append(len(data))
            if data:
                self.session.receive_data(data)
            else:
                self.session.receive_eof()
            found += self.session.events_received()
            self.flush()
            if not data:
                break
        return found
