"""From an endpoint to a connected road, for asyncio: whatever it takes to get there.

Responsible for the order of the steps and for their time limits; each kind of road loads when the
first of its kind is asked for. Must not know what travels on a road, or how it is authenticated.
Does for an event loop what its namesake does for threads.
"""

from __future__ import annotations

import asyncio

# Not socket's: what it adds to a socket is not used here, and takes room and time for each.
from _socket import AF_UNIX, SOCK_STREAM, socket
from contextlib import suppress

from virtproto.errors import DeadlineError, SocketMissingError, SocketRefusedError
from virtproto.model.endpoint import CommandEndpoint, TcpEndpoint, UnixEndpoint
from virtproto.model.refs import shown_within
from virtproto.transport.deadline import instead, time_left
from virtproto.transport.road import Road
from virtproto.transport.unix import connect_error, connect_limit, socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from virtproto.model.credentials import Asker, AsyncAsker, Credentials
    from virtproto.model.endpoint import Endpoint, LibsshEndpoint
    from virtproto.transport.road import Conversation, Layer

    from .channel import Channel

    # What `open` takes under these names.
    AnyCredentials: TypeAlias = Credentials | Asker | AsyncAsker
    AnySocket: TypeAlias = socket | Callable[[], socket | Awaitable[socket]]

__all__ = ["attach", "connect"]

# Pause between attempts to connect to a daemon that is too busy to accept.
_RETRY_S = 0.01


async def connect(
    endpoint: Endpoint,
    timeout_s: float | None,
    *,
    sock: AnySocket | None = None,
    credentials: AnyCredentials | None = None,
    autostart: bool = False,
) -> Road:
    """Return a road to ``endpoint``, with a socket for this loop.

    ``timeout_s`` bounds each step (an address, a handshake), as blocks of `deadline` do. ``sock``
    is a connected socket to use, or what makes one. ``credentials`` are for hosts on the way;
    ``autostart`` has a daemon of this user's own started where nobody listens. Raises ConnectError
    (each kind of road its own kinds), DeadlineError, URIError and UsageError.
    """
    if sock is not None:
        road = await _over_given(endpoint, sock, timeout_s)
    elif isinstance(endpoint, UnixEndpoint):
        road = Road(await _unix_socket(endpoint, timeout_s, autostart), endpoint.path)
    elif isinstance(endpoint, TcpEndpoint):
        from virtproto.transport.tls import agreement

        from .reaching import reach

        agree = agreement(endpoint)
        road = await _secured(await reach(endpoint, timeout_s), agree, timeout_s)
    elif isinstance(endpoint, CommandEndpoint):
        from virtproto.transport.command import start

        road = start(endpoint)
    else:
        road = await _by_ssh(endpoint, timeout_s, credentials)
    road.sock.setblocking(False)
    return road


async def attach(channel: Channel) -> None:
    """Have the loop read and write a channel's socket."""
    loop, road = channel._loop, channel._road
    if road.tracer is not None:
        from .overhearing import overhear

        overhear(channel, road.tracer)
    # What the loop calls for it outlasts the limits of who connects.
    with instead(None):
        make: Any = loop.create_connection
        if road.sock.family == AF_UNIX:
            make = loop.create_unix_connection
        await make(lambda: channel, sock=road.sock)
    if road.layer is not None:
        from .layered_transport import put_between

        put_between(channel)


async def _over_given(endpoint: Endpoint, sock: AnySocket, timeout_s: float | None) -> Road:
    """Return a road over the caller's own socket, which is this side's from now on."""
    from inspect import isawaitable

    from virtproto.transport.given import require_plain, taken
    from virtproto.transport.tls import agreement

    require_plain(endpoint)
    agree = agreement(endpoint)
    given = sock() if callable(sock) else sock
    road = taken(await _in_time(given, timeout_s) if isawaitable(given) else given, endpoint)
    return await _secured(road, agree, timeout_s)


async def _in_time(given: Awaitable[socket], timeout_s: float | None) -> socket:
    """Return the socket that the caller's function brings."""
    limit_s = time_left(timeout_s)
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await given
    except TimeoutError:
        if not limit.expired():
            raise
        late = f"sock: the function brought no socket{shown_within(limit_s)}"
        raise DeadlineError(late) from None


async def _secured(
    road: Road, agree: Conversation[tuple[Layer, int]] | None, timeout_s: float | None
) -> Road:
    """Have TLS spoken where that is wanted."""
    if agree is not None:
        from .reaching import converse

        try:
            road.secure(*(await converse(road.sock, agree, timeout_s, road.name)))
        except BaseException:
            road.leave()
            raise
    return road


async def _by_ssh(
    endpoint: LibsshEndpoint, timeout_s: float | None, credentials: AnyCredentials | None
) -> Road:
    """Return a road by SSH that this process itself speaks."""
    from virtproto import ssh

    from .asking import ask
    from .reaching import reach

    server = await reach(TcpEndpoint(endpoint.host, endpoint.port), timeout_s)
    try:
        road = await ssh.connect(endpoint, server.sock, timeout_s, credentials=credentials, ask=ask)
    except BaseException:
        server.leave()
        raise
    # It is the other road's now, which ends it in its own time.
    del server.sock
    return road


async def _unix_socket(endpoint: UnixEndpoint, timeout_s: float | None, autostart: bool) -> socket:
    """Return a socket connected to a daemon, which is started if need be and wanted."""
    try:
        return await _connected(endpoint, timeout_s)
    except (SocketMissingError, SocketRefusedError):
        if not autostart or endpoint.daemon is None:
            raise
    from virtproto.transport.autostart import attempts

    trying = attempts(endpoint, timeout_s)
    try:
        while True:
            await asyncio.sleep(next(trying))
            with suppress(SocketMissingError, SocketRefusedError):
                return await _connected(endpoint, timeout_s)
    finally:
        trying.close()


async def _connected(endpoint: UnixEndpoint, timeout_s: float | None) -> socket:
    """Return a connected socket. Raises as ``transport.unix.connect`` does."""
    loop = asyncio.get_running_loop()
    address = socket_address(endpoint.path)
    timeout_s = connect_limit(endpoint, timeout_s)
    deadline = None if timeout_s is None else loop.time() + timeout_s
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(address)
                break
            except BlockingIOError:
                # The queue of the listening socket is full, and there is no way to wait on it.
                if deadline is not None and loop.time() >= deadline:
                    raise
                await asyncio.sleep(_RETRY_S)
    except OSError as exc:
        sock.close()
        raise connect_error(endpoint, exc, timeout_s) from exc
    except BaseException:
        sock.close()
        raise
    return sock
