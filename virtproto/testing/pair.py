"""Two sessions wired to each other, without any transport.

Responsible for: carrying bytes between a client's and a server's session in one thread, for tests
of both. Must not know what they say.
"""

from __future__ import annotations

from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import Event
from virtproto.protocol.server import ServerSession

__all__ = ["ConnectionPair"]


class ConnectionPair:
    """A ClientSession and a ServerSession; `pump` carries everything both ways.

    ``piece`` splits what is carried into pieces of so many bytes. ``client_sent`` and
    ``server_sent`` keep every byte that went over.
    """

    def __init__(
        self,
        client: ClientSession | None = None,
        server: ServerSession | None = None,
        *,
        piece: int | None = None,
    ) -> None:
        self.client = ClientSession() if client is None else client
        self.server = ServerSession() if server is None else server
        self.client_sent = bytearray()
        self.server_sent = bytearray()
        self._piece = piece

    def to_server(self) -> list[Event]:
        """Carry what the client has to send; return what the server makes of it."""
        data = b"".join(self.client.data_to_send())
        self.client_sent += data
        for piece in self._pieces(data):
            self.server.receive_data(piece)
        return self.server.events_received()

    def to_client(self) -> list[Event]:
        """Carry what the server has to send; return what the client makes of it."""
        data = b"".join(self.server.data_to_send())
        self.server_sent += data
        for piece in self._pieces(data):
            self.client.receive_data(piece)
        return self.client.events_received()

    def pump(self) -> tuple[list[Event], list[Event]]:
        """Carry both ways until nothing is left; return (client's events, server's events)."""
        at_client: list[Event] = []
        at_server: list[Event] = []
        while True:
            before = len(self.client_sent), len(self.server_sent)
            at_server += self.to_server()
            at_client += self.to_client()
            if before == (len(self.client_sent), len(self.server_sent)):
                return at_client, at_server

    def _pieces(self, data: bytes) -> list[bytes]:
        if self._piece is None:
            return [data]
        return [data[at : at + self._piece] for at in range(0, len(data), self._piece)]
