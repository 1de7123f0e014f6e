"""TCP: a host's addresses, a socket to one of them, and plain words for what went wrong.

Responsible for asking the system and for turning its answers into errors a user can act on. Who
waits, and how, is the front ends' business. Must not know what travels over a socket.
"""

from __future__ import annotations

import errno
import os

# Not socket: see virtproto.transport.unix for why.
from _socket import (
    AI_NUMERICHOST,
    EAI_AGAIN,
    IPPROTO_TCP,
    SO_ERROR,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    gaierror,
    getaddrinfo,
    socket,
)

from virtproto.errors import ConnectError, DeadlineError, HostNotFoundError, SocketRefusedError
from virtproto.model.refs import shown_within
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from virtproto.model.endpoint import TcpEndpoint

    # As getaddrinfo has it: the family, the protocol, and what connect takes.
    Address: TypeAlias = "tuple[int, int, tuple[Any, ...]]"
    Lookup: TypeAlias = "list[Address] | Exception"

__all__ = [
    "Attempts",
    "addresses_of",
    "begin",
    "late_agreement",
    "late_lookup",
    "look_up",
    "step_limit",
    "written_address",
]


def step_limit(endpoint: TcpEndpoint, timeout_s: float | None) -> float | None:
    """Return how long one step may take. Raises DeadlineError where no time is left for it."""
    limit_s = time_left(timeout_s)
    if limit_s is not None and limit_s <= 0:
        raise DeadlineError(f"no time was left for a connection to {endpoint.name}")
    return limit_s


def written_address(endpoint: TcpEndpoint) -> list[Address] | None:
    """Return the address where the host is written as one, None for a name."""
    try:
        return _ask(endpoint, AI_NUMERICHOST)
    except (gaierror, ValueError):
        return None


def look_up(endpoint: TcpEndpoint) -> Lookup:
    """Return the addresses of a name, or why it has none.

    To be called where nobody has to wait for it: a name server that does not answer takes long, and
    cannot be interrupted.
    """
    try:
        return _ask(endpoint, 0)
    except (OSError, ValueError) as error:
        return error


def _ask(endpoint: TcpEndpoint, flags: int) -> list[Address]:
    # Bytes: the system is asked for the name as it is written, as libvirt's own client does.
    host = os.fsencode(endpoint.host)
    found = getaddrinfo(host, endpoint.port, 0, SOCK_STREAM, 0, flags)
    return [(family, proto, address) for family, _, proto, _, address in found]


def addresses_of(endpoint: TcpEndpoint, found: Lookup) -> list[Address]:
    """Return what a lookup found. Raises HostNotFoundError where that is nothing."""
    if isinstance(found, list):
        return found
    host = endpoint.host
    if isinstance(found, gaierror) and found.errno == EAI_AGAIN:
        raise HostNotFoundError(
            f"the address of host {host!r} could not be found out for now ({found.strerror}); is "
            "a name server to be reached?"
        ) from found
    why = getattr(found, "strerror", None) or str(found)
    raise HostNotFoundError(
        f"there is no address for host {host!r} ({why}); see whether the URI has its right name"
    ) from found


def late_lookup(endpoint: TcpEndpoint, limit_s: float | None) -> DeadlineError:
    """Return the error for a name whose address was not known in time."""
    return DeadlineError(
        f"the address of host {endpoint.host!r} was not known{shown_within(limit_s)}; no name "
        "server answered"
    )


def late_agreement(name: str, limit_s: float | None) -> DeadlineError:
    """Return the error for two ends that did not finish what they had to say at first."""
    return DeadlineError(f"{name} did not come to an agreement{shown_within(limit_s)}")


def begin(family: int, proto: int) -> socket:
    """Return a socket that is not connected yet and waits for nothing."""
    # Kept by the very call that makes it: a signal may come right behind that.
    made: list[socket] = []
    try:
        made.extend(map(socket, (family,), (SOCK_STREAM,), (proto,)))
        sock = made[0]
        sock.setblocking(False)
        # A question and its answer travel alone: nothing is gained by waiting for more to send.
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    except BaseException:
        for sock in made:
            sock.close()
        raise
    return sock


def _why(error: OSError) -> str:
    # asyncio has words of its own for what the system said; not so for what is of this module.
    if error.errno is None or isinstance(error, TimeoutError):
        return error.strerror or str(error)
    return os.strerror(error.errno)


class Attempts:
    """What became of the addresses of a host, one after another."""

    __slots__ = ("_endpoint", "_failed")

    def __init__(self, endpoint: TcpEndpoint) -> None:
        self._endpoint = endpoint
        self._failed: list[tuple[str, OSError]] = []

    def failed(self, address: tuple[Any, ...], error: OSError, limit_s: float | None) -> None:
        """Note that an address led nowhere; TimeoutError is for one that did not answer."""
        host = address[0]
        if isinstance(error, TimeoutError) and error.errno is None:
            error = TimeoutError(errno.ETIMEDOUT, f"no answer{shown_within(limit_s)}")
        self._failed.append((host, error))

    def refused_by(self, sock: socket) -> OSError | None:
        """Return why a socket is not connected after all, None if it is."""
        number = sock.getsockopt(SOL_SOCKET, SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def error(self) -> ConnectError | DeadlineError:
        """Return the error for a host of which no address is left."""
        name = self._endpoint.name
        numbers = {error.errno for _, error in self._failed}
        shown = "; ".join(f"{host}: {_why(error)}" for host, error in self._failed)
        if numbers == {errno.ECONNREFUSED}:
            return SocketRefusedError(
                f"nobody listens on {name} ({shown}); see whether the daemon there listens, and "
                "on this port"
            )
        if numbers == {errno.ETIMEDOUT}:
            return DeadlineError(f"the host of {name} does not answer ({shown})")
        return ConnectError(f"cannot connect to {name} ({shown})")
