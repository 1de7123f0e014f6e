"""A host by TCP, and what is said on a socket before there are packets, for asyncio.

Responsible for waiting no longer than allowed: for a name's address, for each address, for the
other end's words. Must not know what is said. Does for an event loop what its namesake does for
threads.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from virtproto.transport.deadline import time_left
from virtproto.transport.road import Road
from virtproto.transport.tcp import (
    Attempts,
    addresses_of,
    begin,
    late_agreement,
    late_lookup,
    look_up,
    step_limit,
    written_address,
)

from .elsewhere import outcome_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any, TypeVar

    from virtproto.model.endpoint import TcpEndpoint
    from virtproto.transport.road import Conversation
    from virtproto.transport.tcp import Address

    R = TypeVar("R")

__all__ = ["converse", "reach"]

_READ_SIZE = 65536


async def reach(endpoint: TcpEndpoint, timeout_s: float | None) -> Road:
    """Return a road to the first of the host's addresses that takes the connection.

    ``timeout_s`` bounds the wait for the addresses and for each of them. Raises HostNotFoundError,
    SocketRefusedError, DeadlineError or another ConnectError.
    """
    loop = asyncio.get_running_loop()
    attempts = Attempts(endpoint)
    for family, proto, address in await _addresses(endpoint, timeout_s):
        limit_s = step_limit(endpoint, timeout_s)
        try:
            sock: Any = begin(family, proto)
            try:
                async with asyncio.timeout(limit_s):
                    await loop.sock_connect(sock, address)
                road = Road(sock, endpoint.name, host=endpoint.host)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            attempts.failed(address, error, limit_s)
        else:
            return road
    raise attempts.error()


async def _addresses(endpoint: TcpEndpoint, timeout_s: float | None) -> list[Address]:
    written = written_address(endpoint)
    if written is not None:
        return written
    limit_s = step_limit(endpoint, timeout_s)
    outcome = await outcome_of(look_up, (endpoint,), limit_s)
    if outcome is None:
        raise late_lookup(endpoint, limit_s)
    return addresses_of(endpoint, outcome.get())


async def converse(
    sock: socket, conversation: Conversation[R], timeout_s: float | None, name: str
) -> R:
    """Carry a conversation through a socket of this loop's, and return its result.

    Raises DeadlineError when it is not over after ``timeout_s``, and what the conversation raises:
    a connection that breaks is for it to tell, by a ConnectionError in place of what came.
    """
    limit_s = time_left(timeout_s)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await _converse(sock, conversation)
    except TimeoutError:
        if not limit.expired():
            raise
        raise late_agreement(name, limit_s) from None
    finally:
        conversation.close()


async def _converse(sock: Any, conversation: Conversation[R]) -> R:
    loop = asyncio.get_running_loop()
    try:
        to_send = next(conversation)
        while True:
            # Whatever becomes of it: what the other end said before it went is still to be read.
            with suppress(OSError):
                await loop.sock_sendall(sock, to_send)
            try:
                came = await loop.sock_recv(sock, _READ_SIZE)
            except OSError as error:
                to_send = conversation.throw(ConnectionError(error.strerror or str(error)))
            else:
                to_send = conversation.send(came)
    except StopIteration as done:
        result: R = done.value
        return result
