"""A host by TCP, and what is said on a socket before there are packets, for threads.

Responsible for waiting no longer than allowed: for a name's address, for each address, for the
other end's words. Must not know what is said. Does for threads what its namesake does in an event
loop.
"""

from __future__ import annotations

from errno import EINPROGRESS
from select import POLLOUT, poll
from time import monotonic

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
from .waiting import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import TypeVar

    from virtproto.model.endpoint import TcpEndpoint
    from virtproto.transport.road import Conversation
    from virtproto.transport.tcp import Address

    R = TypeVar("R")

__all__ = ["converse", "reach"]

_READ_SIZE = 65536


def reach(endpoint: TcpEndpoint, timeout_s: float | None) -> Road:
    """Return a road to the first of the host's addresses that takes the connection.

    ``timeout_s`` bounds the wait for the addresses and for each of them. Raises HostNotFoundError,
    SocketRefusedError, DeadlineError or another ConnectError.
    """
    attempts = Attempts(endpoint)
    for family, proto, address in _addresses(endpoint, timeout_s):
        limit_s = step_limit(endpoint, timeout_s)
        # Kept by the very call that makes it, should a signal come.
        made: list[socket] = []
        try:
            try:
                made.extend(map(begin, (family,), (proto,)))
                sock = made[0]
                _connect(sock, address, limit_s, attempts)
                sock.setblocking(True)
                road = Road(sock, endpoint.name, host=endpoint.host)
            except BaseException:
                for sock in made:
                    sock.close()
                raise
        except OSError as error:
            attempts.failed(address, error, limit_s)
        else:
            return road
    raise attempts.error()


def _addresses(endpoint: TcpEndpoint, timeout_s: float | None) -> list[Address]:
    written = written_address(endpoint)
    if written is not None:
        return written
    limit_s = step_limit(endpoint, timeout_s)
    outcome = outcome_of(look_up, (endpoint,), limit_s)
    if outcome is None:
        raise late_lookup(endpoint, limit_s)
    return addresses_of(endpoint, outcome.get())


def _connect(
    sock: socket, address: tuple[object, ...], limit_s: float | None, attempts: Attempts
) -> None:
    """Connect a socket. Raises OSError; TimeoutError when time is up."""
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno != EINPROGRESS:
            raise
        ready = poll()
        ready.register(sock, POLLOUT)
        if not ready.poll(milliseconds(limit_s)):
            raise TimeoutError from None
        if (failure := attempts.refused_by(sock)) is not None:
            raise failure from None


def converse(sock: socket, conversation: Conversation[R], timeout_s: float | None, name: str) -> R:
    """Carry a conversation through a blocking socket, and return its result.

    Raises DeadlineError when it is not over after ``timeout_s``, and what the conversation raises:
    a connection that breaks is for it to tell, by a ConnectionError in place of what came.
    """
    limit_s = time_left(timeout_s)
    until = None if limit_s is None else monotonic() + limit_s
    try:
        to_send = next(conversation)
        while True:
            _send(sock, to_send, until)
            try:
                came = _receive(sock, until)
            except ConnectionError as error:
                to_send = conversation.throw(error)
            else:
                to_send = conversation.send(came)
    except StopIteration as done:
        sock.settimeout(None)
        result: R = done.value
        return result
    except _Late:
        raise late_agreement(name, limit_s) from None
    finally:
        conversation.close()


class _Late(Exception):
    """Time is up."""


def _limit(sock: socket, until: float | None) -> None:
    if until is not None:
        left_s = until - monotonic()
        if left_s <= 0:
            raise _Late
        sock.settimeout(left_s)


def _send(sock: socket, data: bytes, until: float | None) -> None:
    if data:
        _limit(sock, until)
        try:
            sock.sendall(data)
        except TimeoutError as error:
            if error.errno is None:
                raise _Late from None
        except OSError:
            # What the other end said before it went is still to be read.
            pass


def _receive(sock: socket, until: float | None) -> bytes:
    _limit(sock, until)
    try:
        return sock.recv(_READ_SIZE)
    except TimeoutError as error:
        if error.errno is None:
            raise _Late from None
        raise ConnectionError(error.strerror) from None
    except OSError as error:
        raise ConnectionError(error.strerror or str(error)) from None
