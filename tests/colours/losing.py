"""Losing a connection that is opened anew, and waiting for what comes of it, in both colours.

Responsible for daemons that go, come back, refuse for a while, and know nothing of what others were
asked before. Must not know what a test expects.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import virtproto
from tests.colours.driving import until
from tests.colours.test_events import Registrar
from virtproto import Reconnect
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.remote import connect_event as calls
from virtproto.xdr.procedure import Procedure

__all__ = [
    "FAST",
    "Forgetting",
    "HOSTNAME",
    "away",
    "back",
    "failing",
    "gone",
    "lose",
    "reconnecting_threads",
    "times",
]

FAST = Reconnect(0.005, 0.05, jitter=0.0)
HOSTNAME = remote.ConnectGetHostnameRet(hostname="h")


@contextlib.contextmanager
def away(server: ScriptedServer, path: str) -> Iterator[None]:
    """A time in which no daemon is there; it begins with the loss of all connections."""
    os.rename(path, path + ".away")
    lose(server)
    try:
        yield
    finally:
        os.rename(path + ".away", path)


def lose(server: ScriptedServer) -> None:
    """Have the daemon close all connections; return once they are gone."""
    ended = server.connections_ended
    server.send(CloseConnection())
    server.wait_until(lambda seen: seen.connections_ended > ended)


def times(server: ScriptedServer, procedure: Procedure[Any, Any]) -> int:
    """Return how often a procedure was called."""
    return [call.procedure for call in server.calls].count(procedure.number)


def back(connection: virtproto.Connection) -> None:
    """Wait until the connection is open again."""
    until(connection, connection.is_alive)


def gone(connection: virtproto.Connection) -> None:
    """Wait until the connection knows that it was lost."""
    until(connection, lambda: not connection.is_alive())


def reconnecting_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "virtproto reconnecting"]


class Forgetting(Registrar):
    """A daemon that knows nothing of registrations of connections before."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__(server)
        server.handle(calls.CONNECT_REGISTER_CLOSE_CALLBACK, b"")
        server.handle(calls.CONNECT_UNREGISTER_CLOSE_CALLBACK, b"")
        server.handle(remote.CONNECT_OPEN, self.open)
        # IDs that do not repeat themselves: they are to be learned anew.
        self.next = 3

    def open(self, call: CallReceived) -> Answer:
        self.kept.clear()
        return b""


def failing(handler: Callable[[CallReceived], Answer], answer: Answer, often: int) -> Any:
    """Return a handler that first gives another answer a number of times."""
    left = [often]

    def handle(call: CallReceived) -> Answer:
        if left[0]:
            left[0] -= 1
            return answer
        return handler(call)

    return handle
