"""A connected road to a daemon: what both front ends make their channels of.

Responsible for what is known of the road besides its bytes: what to call it, how safe it is, what
it can carry, what runs behind it. Must not know how it was reached, or what travels on it.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, AF_UNIX
from sys import is_finalizing

from virtproto.errors import ConnectError, HostKeyError, SSHConnectError
from virtproto.model.replies import CLOSED_BY_DAEMON, ended_on_the_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Generator
    from typing import Protocol, TypeAlias, TypeVar

    from virtproto.trace.tracers import Tracer

    R = TypeVar("R")

    # What two ends say before there are packets: it yields what is to be sent, is sent what came,
    # b"" for the peer's end, and returns what was agreed on.
    Conversation: TypeAlias = Generator[bytes, bytes, R]

    class Layer(Protocol):
        """What stands between a socket's bytes and the packets: TLS, or a SASL security layer.

        It has no socket: it turns bytes into bytes. One thread uses it at a time. Torn by an
        exception midway it is of no use any more. Both methods raise ConnectionError, with a text
        for people, for what cannot be mended.
        """

        def wrap(self, data: bytes | memoryview) -> bytes:
            """Return what is to be sent for ``data``; for b"", what the layer itself has to say."""

        def unwrap(self, data: bytes | memoryview) -> bytes:
            """Return what became readable by ``data``, all of it; b"" where that is nothing yet.

            b"" for ``data`` is the peer's end. The memory is the caller's: other things come there.
            """

        @property
        def has_ended(self) -> bool:
            """Whether the peer said properly that nothing follows."""

    class Carrier(Protocol):
        """What runs behind a road for as long as it is used: a process, a connection of ssh's."""

        def last_words(self) -> str | None:
            """Return what the far side said on its way out, None for nothing; waits briefly."""

        def words(self) -> str | None:
            """Return what the far side has said so far, None for nothing; waits for nothing."""

        def end(self) -> None:
            """End it, and wait for nothing; may be called twice, and on any thread."""


__all__ = ["MOST_UNTAKEN", "UNTAKEN", "Road"]

# How much of a layer's own words, which answer those of the peer's, is kept for a peer that does
# not read them: whoever asks for more means no good. And what is said of him.
MOST_UNTAKEN = 1 << 20
UNTAKEN = "the other end asks for answers that it does not take"

_BY = {AF_UNIX: "a unix socket", AF_INET: "TCP", AF_INET6: "TCP"}


class Road:
    """A connected socket, and what is known of the way that it leads.

    ``name`` is what messages call its far end, ``by`` what they call the way to there; ``host`` is
    the URI's server, or "localhost"; ``failure`` is the error for a road that led nowhere;
    ``carries_descriptors`` is so for unix sockets that lead to the daemon itself; ``is_secure``
    tells whether nobody on the way can listen in or meddle, ``is_encrypted`` whether that is by
    encryption; ``cipher_bits`` is how strong that is, 0 for none. ``layer`` is what stands between
    the socket and the packets, ``carrier`` what runs behind the socket; each may be None.
    """

    __slots__ = (
        "by",
        "carrier",
        "carries_descriptors",
        "cipher_bits",
        "failure",
        "host",
        "is_encrypted",
        "is_secure",
        "layer",
        "name",
        "said",
        "sock",
        "tracer",
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
        by: str | None = None,
        failure: type[ConnectError] = ConnectError,
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
        self.by = by or _BY.get(sock.family) or f"a socket of family {int(sock.family)}"
        self.failure = failure
        # What the carrier said at the end, once it was asked.
        self.said: str | None = None
        # Who is told of each message that travels here, None for nobody.
        self.tracer: Tracer | None = None

    def __del__(self) -> None:
        # Of one that nobody came to use: a signal may come before its channel is made. Absent where
        # __init__ was torn, or where somebody else has it.
        sock: socket | None = getattr(self, "sock", None)
        if sock is not None:
            sock.close()
        carrier: Carrier | None = getattr(self, "carrier", None)
        # With the process its socket ends, and that is enough: no thread must begin any more.
        if carrier is not None and not is_finalizing():
            carrier.end()

    def __repr__(self) -> str:
        return f"<Road to {self.name}>"

    def secure(self, layer: Layer, cipher_bits: int) -> None:
        """Have TLS, which was agreed on, between the socket and the packets."""
        self.layer = layer
        self.cipher_bits = cipher_bits
        self.is_secure = self.is_encrypted = True
        # They would travel beside what is encrypted.
        self.carries_descriptors = False
        self.by = "TLS"

    def add_layer(self, layer: Layer) -> None:
        """Have a SASL security layer from now on; there was none, as none was needed."""
        self.layer = layer
        self.is_secure = self.is_encrypted = True

    def hear(self, why: str) -> str:
        """Return why the road has ended, with the carrier's last words; waits briefly for them."""
        if self.carrier is not None and self.said is None:
            self.said = self.carrier.last_words() or ""
        return ended_on_the_way(self.by, self.said, why) if self.said else why

    def words(self) -> str | None:
        """Return what the carrier has said so far, None for nothing; waits for nothing."""
        return self.carrier.words() if self.carrier is not None else None

    def led_nowhere(self, error: Exception) -> ConnectError:
        """Return the error for who was opening when a road with a carrier ended by ``error``."""
        kind = self.failure
        said = self.said or ""
        if not said and CLOSED_BY_DAEMON in str(error):
            said = "it ended and said nothing"
        if kind is SSHConnectError and "host key verification failed" in said.lower():
            kind = HostKeyError
        return kind(f"{self.by} did not lead to a daemon: {said or error}")

    def leave(self) -> None:
        """Close the socket and end what is behind it; may be called twice."""
        self.sock.close()
        if self.carrier is not None:
            self.carrier.end()
