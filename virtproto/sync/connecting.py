"""From an endpoint to a connected road, for threads: whatever it takes to get there.

Responsible for the order of the steps and for their time limits; each kind of road loads when the
first of its kind is asked for. Must not know what travels on a road, or how it is authenticated.
Does for threads what its namesake does in an event loop.
"""

from __future__ import annotations

from virtproto.model.endpoint import CommandEndpoint, TcpEndpoint, TlsEndpoint, UnixEndpoint
from virtproto.transport import unix
from virtproto.transport.road import Road, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable
    from typing import TypeAlias

    from virtproto.model.credentials import Asker, Credentials
    from virtproto.model.endpoint import Endpoint, LibsshEndpoint

    # What `open` takes under these names.
    AnyCredentials: TypeAlias = Credentials | Asker
    AnySocket: TypeAlias = socket | Callable[[], socket]

__all__ = ["connect"]


def connect(
    endpoint: Endpoint,
    timeout_s: float | None,
    *,
    sock: AnySocket | None = None,
    credentials: AnyCredentials | None = None,
    autostart: bool = False,
) -> Road:
    """Return a road to ``endpoint``, with a blocking socket.

    ``timeout_s`` bounds each step (an address, a handshake), as blocks of `deadline` do. ``sock``
    is a connected socket to use, or what makes one. ``credentials`` are for hosts on the way;
    ``autostart`` has a daemon of this user's own started where nobody listens. Raises ConnectError
    (each kind of road its own kinds), DeadlineError, URIError and UsageError.
    """
    if sock is not None:
        return _over_given(endpoint, sock, timeout_s)
    if isinstance(endpoint, UnixEndpoint):
        if autostart and endpoint.daemon is not None:
            return Road(_started(endpoint, timeout_s), endpoint.path)
        return Road(unix.connect(endpoint, timeout_s), endpoint.path)
    if isinstance(endpoint, TcpEndpoint):
        from .reaching import reach

        return _secured(endpoint, reach(endpoint, timeout_s), timeout_s)
    if isinstance(endpoint, CommandEndpoint):
        from virtproto.transport.command import start

        return named(start(endpoint), endpoint)
    return named(_by_ssh(endpoint, timeout_s, credentials), endpoint)


def _over_given(endpoint: Endpoint, sock: AnySocket, timeout_s: float | None) -> Road:
    """Return a road over the caller's own socket, which is this side's from now on."""
    from virtproto.transport.given import require_plain, taken

    require_plain(endpoint)
    road = taken(sock() if callable(sock) else sock, endpoint)
    return _secured(endpoint, road, timeout_s)


def _secured(endpoint: Endpoint, road: Road, timeout_s: float | None) -> Road:
    """Have TLS spoken where the endpoint wants it."""
    if isinstance(endpoint, TlsEndpoint):
        try:
            from virtproto.transport.tls.handshake import shake_hands

            from .reaching import converse

            layer, bits = converse(road.sock, shake_hands(endpoint), timeout_s, road.name)
            road.secure(layer, bits)
        except BaseException:
            road.leave()
            raise
    return road


def _by_ssh(
    endpoint: LibsshEndpoint, timeout_s: float | None, credentials: AnyCredentials | None
) -> Road:
    """Return a road by SSH that this process itself speaks."""
    from virtproto import ssh

    from .reaching import reach

    server = reach(TcpEndpoint(endpoint.host, endpoint.port), timeout_s)
    return ssh.connect_blocking(endpoint, server.sock, timeout_s, credentials=credentials)


def _started(endpoint: UnixEndpoint, timeout_s: float | None) -> socket:
    """Return a socket connected to a daemon of this user's own, started if nobody listens."""
    from virtproto.errors import SocketMissingError, SocketRefusedError

    nobody = (SocketMissingError, SocketRefusedError)
    try:
        return unix.connect(endpoint, timeout_s)
    except nobody:
        from contextlib import closing
        from time import monotonic, sleep

        from virtproto.transport.autostart import attempts
    limit_s = unix.connect_limit(endpoint, timeout_s)
    until = None if limit_s is None else monotonic() + limit_s
    with closing(attempts(endpoint)) as pauses:
        for pause_s in pauses:
            sleep(pause_s)
            try:
                return unix.connect(endpoint, None if until is None else until - monotonic())
            except nobody:
                continue
    raise AssertionError("it is tried until there is a reason to stop")
