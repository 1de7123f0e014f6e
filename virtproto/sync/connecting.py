"""From an endpoint to a connected road, for threads: whatever it takes to get there.

Responsible for the order of the steps and for their time limits; each kind of road loads when the
first of its kind is asked for. Must not know what travels on a road, or how it is authenticated.
Does for threads what its namesake does in an event loop.
"""

from __future__ import annotations

from virtproto.errors import SocketMissingError, SocketRefusedError
from virtproto.model.endpoint import CommandEndpoint, TcpEndpoint, UnixEndpoint
from virtproto.transport import unix
from virtproto.transport.road import Road

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable
    from typing import TypeAlias

    from virtproto.model.credentials import Asker, Credentials
    from virtproto.model.endpoint import Endpoint, LibsshEndpoint
    from virtproto.transport.road import Conversation, Layer

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
        from virtproto.transport.tls import agreement

        from .reaching import reach

        agree = agreement(endpoint)
        return _secured(reach(endpoint, timeout_s), agree, timeout_s)
    if isinstance(endpoint, CommandEndpoint):
        from virtproto.transport.command import start

        return start(endpoint)
    return _by_ssh(endpoint, timeout_s, credentials)


def _over_given(endpoint: Endpoint, sock: AnySocket, timeout_s: float | None) -> Road:
    """Return a road over the caller's own socket, which is this side's from now on."""
    from virtproto.transport.given import require_plain, taken
    from virtproto.transport.tls import agreement

    require_plain(endpoint)
    agree = agreement(endpoint)
    return _secured(taken(sock() if callable(sock) else sock, endpoint), agree, timeout_s)


def _secured(
    road: Road, agree: Conversation[tuple[Layer, int]] | None, timeout_s: float | None
) -> Road:
    """Have TLS spoken where that is wanted."""
    if agree is not None:
        from .reaching import converse

        try:
            road.secure(*converse(road.sock, agree, timeout_s, road.name))
        except BaseException:
            road.leave()
            raise
    return road


def _by_ssh(
    endpoint: LibsshEndpoint, timeout_s: float | None, credentials: AnyCredentials | None
) -> Road:
    """Return a road by SSH that this process itself speaks."""
    from virtproto import ssh

    from .asking import ask
    from .reaching import reach

    server = reach(TcpEndpoint(endpoint.host, endpoint.port), timeout_s)
    try:
        road = ssh.connect_blocking(
            endpoint, server.sock, timeout_s, credentials=credentials, ask=ask
        )
    except BaseException:
        server.leave()
        raise
    # It is the other road's now, which ends it in its own time.
    del server.sock
    return road


def _started(endpoint: UnixEndpoint, timeout_s: float | None) -> socket:
    """Return a socket connected to a daemon, which is started if need be."""
    try:
        return unix.connect(endpoint, timeout_s)
    except (SocketMissingError, SocketRefusedError):
        pass
    from time import sleep

    from virtproto.transport.autostart import attempts

    trying = attempts(endpoint, timeout_s)
    try:
        while True:
            sleep(next(trying))
            try:
                return unix.connect(endpoint, timeout_s)
            except (SocketMissingError, SocketRefusedError):
                # Not yet.
                continue
    finally:
        trying.close()
