"""A bridge through a host's SSH server: the handshake, logging in, and what leads to the daemon.

Responsible for the order of the steps, for their time limits, and for what is said when one fails.
Must not know in which colour the bridge is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import timeout
from time import monotonic

import asyncssh

from virtproto.errors import DeadlineError, HostKeyError, SSHConnectError
from virtproto.model.refs import shown_seconds
from virtproto.transport.deadline import time_left

from .asking import Questions
from .bridge import Bridge
from .host_keys import HostKeys
from .login import Login

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import AsyncIterator

    from virtproto.errors import ConnectError
    from virtproto.model.endpoint import LibsshEndpoint

    from .asking import Given, Messenger

__all__ = ["open_bridge"]


async def open_bridge(
    endpoint: LibsshEndpoint,
    sock: _socket.socket,
    timeout_s: float | None,
    given: Given,
    messenger: Messenger,
) -> Bridge:
    """Return a bridge to the daemon, by the SSH server at the other end of ``sock``.

    ``messenger`` has people asked. Raises SSHConnectError, HostKeyError, DeadlineError,
    ConfigFileError, and whatever a function of the caller's raises.
    """
    tcp = socket.socket(fileno=sock.detach())
    connection: asyncssh.SSHClientConnection | None = None
    bridge: Bridge | None = None
    login: Login | None = None
    try:
        keys = HostKeys(endpoint)
        questions = Questions(endpoint, given, messenger)
        login = Login(endpoint, keys, questions)
        async with _step(endpoint, timeout_s, "let nobody in", questions):
            connection = await _log_in(endpoint, tcp, keys, login)
        login.end()
        bridge = Bridge(endpoint, tcp)
        async with _step(endpoint, timeout_s, "started nothing"):
            await bridge.begin(connection)
    except BaseException:
        if bridge is not None:
            bridge.forsake()
        if login is not None:
            login.end()
        if connection is not None:
            connection.close()
            await _gone(connection)
        elif login is None or not login.is_connected:
            tcp.close()
        raise
    return bridge


async def _log_in(
    endpoint: LibsshEndpoint, tcp: socket.socket, keys: HostKeys, login: Login
) -> asyncssh.SSHClientConnection:
    try:
        connection = await asyncssh.connect(
            endpoint.host,
            endpoint.port,
            sock=tcp,
            config=None,
            client_factory=lambda: login,
            known_hosts=None if keys.mode == "ignore" else keys.refused,
            server_host_key_algs=keys.algorithms,
            username=endpoint.user,
            preferred_auth=login.preferred,
            client_keys=None,
            agent_path=None,
            gss_host=None,
            x509_trusted_certs=None,
            compression_algs=["none"],
            connect_timeout=None,
            login_timeout=0,
        )
    except (asyncssh.Error, OSError) as error:
        raise _failure(endpoint, keys, login, error) from None
    # A host that lets anybody in asks for nothing, so nobody was asked about its key either.
    if not await login.confirm():
        connection.close()
        await _gone(connection)
        fault = login.fault
        assert fault is not None
        raise fault
    return connection


def _failure(
    endpoint: LibsshEndpoint, keys: HostKeys, login: Login, error: Exception
) -> BaseException:
    """Return what to raise for a connection that came to nothing."""
    if login.fault is not None:
        return login.fault
    if isinstance(error, asyncssh.PermissionDenied):
        return login.refused("Permission denied")
    why = getattr(error, "reason", None) or str(error)
    if login.tried and isinstance(error, asyncssh.DisconnectError):
        return login.refused(why)
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyError(f"{endpoint.name}: {why} (see {keys.path})")
    return SSHConnectError(f"{endpoint.name}: {why or type(error).__name__}")


@contextlib.asynccontextmanager
async def _step(
    endpoint: LibsshEndpoint, timeout_s: float | None, what: str, asking: Questions | None = None
) -> AsyncIterator[None]:
    """Bound a step's time, without that in which people are asked."""
    limit_s = time_left(timeout_s)
    if limit_s is not None and limit_s <= 0:
        raise DeadlineError(f"no time was left for a connection by {endpoint.name}")
    began = monotonic()
    try:
        async with timeout(limit_s) as bound:
            if asking is not None:
                asking.pause = lambda: bound.reschedule(None)
                asking.resume = lambda: bound.reschedule(_moment(timeout_s))
            yield
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise _late(endpoint, limit_s or monotonic() - began, what) from error


def _moment(timeout_s: float | None) -> float | None:
    left_s = time_left(timeout_s)
    return None if left_s is None else asyncio.get_running_loop().time() + left_s


def _late(endpoint: LibsshEndpoint, limit_s: float, what: str) -> ConnectError | DeadlineError:
    within = shown_seconds(limit_s)
    return DeadlineError(f"{endpoint.name}: the SSH server {what} within {within} s")


async def _gone(connection: asyncssh.SSHClientConnection) -> None:
    """Wait until a connection that was closed is gone."""
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await connection.wait_closed()
