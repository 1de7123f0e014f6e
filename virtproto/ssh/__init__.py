"""SSH spoken by this process itself, for URIs of transports libssh and libssh2.

Responsible for a road through a host's SSH server, in either colour: `connect` in the caller's
event loop, `connect_blocking` on a thread of its own. It starts on a socket that leads to that
server already, and ends at a socket pair. Must not know what travels on the road.

The protocol is asyncssh's, which the extra ``ssh`` installs; what is here is what libvirt's client
does with it. Neither ssh's configuration nor asyncssh's own is read, as libvirt's client reads none
either: what differs from the defaults stands in the URI.
"""

from __future__ import annotations

import sys

from virtproto.errors import SSHConnectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

    from virtproto.model.credentials import (
        Answers,
        Asker,
        AsyncAsker,
        CredentialRequest,
        Credentials,
    )
    from virtproto.model.endpoint import LibsshEndpoint
    from virtproto.transport.road import Road

    from .asking import Messenger

__all__ = ["connect", "connect_blocking"]


async def connect(
    endpoint: LibsshEndpoint,
    sock: socket,
    timeout_s: float | None,
    *,
    credentials: Credentials | Asker | AsyncAsker | None = None,
    ask: Messenger,
) -> Road:
    """Return a road through the SSH server at the other end of ``sock``; for the running loop.

    ``sock`` is this function's from now on. ``timeout_s`` bounds the handshake with logging in, and
    then the start of what leads to the daemon, as blocks of `deadline` do; people who are asked
    take their time. ``credentials`` are a user's, or who asks for them; ``ask`` calls a function of
    the caller's, so that it may block or be a coroutine function. Raises SSHConnectError,
    HostKeyError for the server's key, DeadlineError and ConfigFileError.
    """
    try:
        if sys.modules.get("asyncssh") is None:
            from asyncio import get_running_loop

            # It takes a quarter of a second.
            await get_running_loop().run_in_executor(None, _load)
        from .opening import open_bridge
    except BaseException:
        sock.close()
        raise
    bridge = await open_bridge(endpoint, sock, timeout_s, credentials, ask)
    return bridge.road()


def connect_blocking(
    endpoint: LibsshEndpoint,
    sock: socket,
    timeout_s: float | None,
    *,
    credentials: Credentials | Asker | None = None,
    ask: Callable[[Asker, Sequence[CredentialRequest]], Answers],
) -> Road:
    """Return a road through the SSH server at the other end of ``sock``, with a blocking socket.

    As `connect` does. One thread serves all such roads of the process, and ends with the last;
    people are asked on the caller's own, where ``ask`` is called.
    """
    try:
        _load()
        from .background import connect_there
    except BaseException:
        sock.close()
        raise
    return connect_there(endpoint, sock, timeout_s, credentials, ask)


def _load() -> None:
    try:
        import asyncssh  # noqa: F401
    except ImportError as error:
        raise SSHConnectError(
            f"transports libssh and libssh2 take the extra ssh, which is not installed ({error}): "
            "pip install 'virtproto[ssh]', or use transport ssh, which runs the system's ssh"
        ) from error
