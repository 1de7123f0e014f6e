"""A connected road to a daemon: what both front ends make their channels of.

Responsible for what is known of the road besides its bytes: what to call it, how safe it is, what
it can carry, what runs behind it. Must not know how it was reached, or what travels on it.
"""

from __future__ import annotations

from _socket import AF_UNIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Protocol

    class Layer(Protocol):
        """What stands between a socket's bytes and the packets: TLS, or a SASL security layer.

        It has no socket: it turns bytes into bytes. One thread uses it at a time. Torn by an
        exception midway it is of no use any more. Both methods raise ConnectionError, with a text
        for people, for what cannot be mended.
        """

        def wrap(self, data: bytes | memoryview) -> bytes:
            """Return what is to be sent for ``data``; for b"", what the layer itself has to say."""

        def unwrap(self, data: bytes) -> bytes:
            """Return what became readable by ``data``, all of it; b"" where that is nothing yet.

            b"" for ``data`` is the peer's end.
            """

        @property
        def has_ended(self) -> bool:
            """Whether the peer said properly that nothing follows."""

    class Carrier(Protocol):
        """What runs behind a road for as long as it is used: a process, a connection of ssh's."""

        def last_words(self) -> str | None:
            """Return what the far side said on its way out, None for nothing; waits briefly."""

        def end(self) -> None:
            """End it, and wait for nothing; may be called twice, and on any thread."""


__all__ = ["Road"]


class Road:
    """A connected socket, and what is known of the way that it leads.

    ``name`` is what messages call its far end; ``host`` is the URI's server, or "localhost";
    ``carries_descriptors`` is so for unix sockets that lead to the daemon itself; ``is_secure``
    tells whether nobody on the way can listen in or meddle, ``is_encrypted`` whether that is by
    encryption; ``cipher_bits`` is how strong that is, 0 for none. ``layer`` is what stands between
    the socket and the packets, ``carrier`` what runs behind the socket; each may be None.
    """

    __slots__ = (
        "carrier",
        "carries_descriptors",
        "cipher_bits",
        "host",
        "is_encrypted",
        "is_secure",
        "layer",
        "name",
        "sock",
    )

    def __init__(
        self,
        sock: socket,
        name: str,
        *,
        host: str = "localhost",
        carries_descriptors: bool | None = None,
        is_secure: bool | None = None,
        is_encrypted: bool = False,
        cipher_bits: int = 0,
        layer: Layer | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        is_unix = sock.family == AF_UNIX
        self.sock = sock
        self.name = name
        self.host = host
        self.carries_descriptors = is_unix if carries_descriptors is None else carries_descriptors
        # A unix socket does not leave the machine.
        self.is_secure = is_unix if is_secure is None else is_secure
        self.is_encrypted = is_encrypted
        self.cipher_bits = cipher_bits
        self.layer = layer
        self.carrier = carrier

    def __repr__(self) -> str:
        return f"<Road to {self.name}>"
