"""A daemon's end of TLS without a socket: OpenSSL's server between two buffers.

Responsible for carrying bytes between it and a conversation, and for what no real daemon says.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.pki import Lab
from virtproto.model.endpoint import TlsEndpoint
from virtproto.transport.tls.handshake import shake_hands
from virtproto.transport.tls.layer import TlsLayer

__all__ = ["Peer", "endpoint_of"]

ACCEPTED = b"\1"


def endpoint_of(lab: Lab, client: str = "good", **options: Any) -> TlsEndpoint:
    """Return an endpoint for one of the lab's clients."""
    return TlsEndpoint("localhost", 16514, pkipath=str(lab.client(client)), **options)


class Peer:
    """A server; ``says`` is what it says once the handshake is over, None for hanging up."""

    def __init__(
        self,
        folder: Path,
        *,
        says: bytes | None = ACCEPTED,
        wants_certificate: bool = False,
        newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        ciphers: str | None = None,
        group: str | None = None,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "servercert.pem", folder / "serverkey.pem")
        context.maximum_version = newest
        if ciphers is not None:
            context.set_ciphers(ciphers)
        if group is not None:
            context.set_ecdh_curve(group)
        if wants_certificate:
            context.load_verify_locations(folder / "cacert.pem")
            context.verify_mode = ssl.CERT_REQUIRED
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self._says = says
        self._is_ready = False

    def hear(self, data: bytes) -> bytes:
        """Take what the client sends, and return what is answered; b"" is the end."""
        self.incoming.write(data)
        if not self._is_ready:
            try:
                self.session.do_handshake()
            except ssl.SSLWantReadError:
                return self.outgoing.read()
            except ssl.SSLError:
                return self.outgoing.read()  # an alert
            self._is_ready = True
            if self._says:
                self.session.write(self._says)
        return self.outgoing.read()

    def shake(
        self,
        endpoint: TlsEndpoint,
        carry: Callable[[bytes], bytes] = lambda data: data,
        piece: int = 1 << 20,
    ) -> tuple[TlsLayer, int]:
        """Hold the conversation; ``carry`` is what is done to the answers on the way.

        They arrive in pieces of ``piece`` bytes.
        """
        conversation = shake_hands(endpoint)
        try:
            sent = next(conversation)
            waiting = b""
            while True:
                waiting += carry(self.hear(sent))
                came, waiting = waiting[:piece], waiting[piece:]
                sent = conversation.send(came)
        except StopIteration as done:
            assert waiting == b""
            agreed: tuple[TlsLayer, int] = done.value
            return agreed
