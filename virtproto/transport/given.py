"""Sockets that the caller of ``open`` connected himself.

Responsible for what may be given, and for taking it over. Must not know what travels on it.
"""

from __future__ import annotations

import os

# Not socket: see virtproto.transport.unix for why.
from _socket import IPPROTO_TCP, SO_TYPE, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY, socket
from types import CoroutineType

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.endpoint import TcpEndpoint, UnixEndpoint
from virtproto.transport.road import Road

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import Endpoint

__all__ = ["check_given", "forsake", "require_plain", "taken"]

_NAME = "the socket that was given"


def check_given(sock: object, *, lasting: bool) -> None:
    """Raise UsageError unless ``sock`` is what `open` can use, ``lasting`` as one that reconnects.

    A function is taken for one that returns sockets; what it returns is looked at later.
    """
    if callable(sock):
        return
    if lasting and isinstance(sock, socket):
        raise UsageError(
            "sock: one socket is one connection; for reconnect give a function that returns a "
            "connected socket each time"
        )
    _check(sock)


def _check(sock: object) -> None:
    if not isinstance(sock, socket):
        kind = type(sock).__name__
        raise ArgumentTypeError(f"sock: expected a connected socket or a function, not {kind}")
    if type(sock).__module__ == "ssl":
        raise UsageError(
            "sock: an SSLSocket reads ahead, so it cannot be used; give the socket below it, and "
            "have TLS spoken by a URI with +tls"
        )
    if sock.fileno() < 0:
        raise UsageError("sock: this socket is closed")
    if sock.getsockopt(SOL_SOCKET, SO_TYPE) != SOCK_STREAM:
        raise UsageError("sock: libvirt's protocol takes a stream socket, and this is another kind")
    try:
        sock.getpeername()
    except OSError as error:
        raise UsageError(f"sock: this socket is not connected ({error.strerror})") from None


def require_plain(endpoint: Endpoint) -> None:
    """Raise UsageError for a road that is no plain socket, which none can be given for."""
    if not isinstance(endpoint, UnixEndpoint | TcpEndpoint):
        raise UsageError(
            f"sock: the URI asks for transport {endpoint.kind}, which makes its own way; use unix, "
            "tcp or tls with a socket"
        )


def taken(sock: object, endpoint: Endpoint) -> Road:
    """Return the road over a socket, which is the caller's no longer, nor after an error.

    Raises UsageError for one that cannot be used. It is safe if it does not leave the machine,
    which nobody can tell of others than unix sockets.
    """
    try:
        if hasattr(sock, "__await__"):
            raise UsageError("sock: a coroutine function, for which only virtproto.aio waits")
        _check(sock)
    except BaseException:
        forsake(sock)
        raise
    assert isinstance(sock, socket)
    family, kind, proto = sock.family, sock.type, sock.proto
    own = socket(family, kind, proto, sock.detach())
    try:
        own.setblocking(True)
        if proto == IPPROTO_TCP:
            own.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        host = endpoint.host if isinstance(endpoint, TcpEndpoint) else "localhost"
        return Road(own, _NAME, host=host)
    except BaseException:
        own.close()
        raise


def forsake(sock: object) -> None:
    """Close a socket that was given for a connection that did not come to be."""
    if isinstance(sock, socket):
        if sock.fileno() >= 0:
            os.close(sock.detach())
    elif isinstance(sock, CoroutineType):
        sock.close()
