"""Keepalive in both colours: asking a silent daemon, and giving it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

import virtproto
from tests.colours.driving import until
from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    ConnectionLostError,
    UsageError,
)
from virtproto.testing import ScriptedServer
from virtproto.wire import keepalive


@contextmanager
def hanging(server: ScriptedServer) -> Iterator[None]:
    """A time in which the daemon does nothing at all."""
    held = threading.Event()

    def hang() -> None:
        held.wait(10)

    server._do(hang)
    try:
        yield
    finally:
        held.set()


def pings(server: ScriptedServer) -> int:
    return sum(
        packet.program == keepalive.PROGRAM and packet.procedure == keepalive.PING
        for packet in server.packets
    )


def has_asked(server: ScriptedServer, times: int) -> bool:
    return pings(server) >= times


def test_a_silent_daemon_is_asked_and_given_up(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    reasons: list[int] = []
    connection._opened.close_callbacks = False
    connection.register_close_callback(lambda conn, reason: reasons.append(reason))
    connection.set_keep_alive(0.05, 2)
    with hanging(server):
        until(connection, lambda: reasons)
    assert reasons == [2]
    with pytest.raises(ConnectionClosedError, match="2 pings unanswered"):
        connection.get_library_version()


def test_a_call_without_an_answer_ends_with_the_daemon(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    connection.set_keep_alive(0.05, 1)
    with hanging(server), pytest.raises(ConnectionLostError, match="no packet from the peer"):
        connection.get_hostname()
    assert not connection.is_alive()


def test_an_answer_keeps_the_connection(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    connection.set_keep_alive(0.05, 1)
    for number in range(1, 5):
        # The scripted daemon answers as every daemon does.
        until(connection, partial(has_asked, server, number))
        assert connection.get_library_version() == 12008000
    assert connection.is_alive()


def test_it_can_be_turned_off(server: ScriptedServer, connection: virtproto.Connection) -> None:
    connection.set_keep_alive(0.05, 1)
    until(connection, lambda: pings(server) > 0)
    connection.set_keep_alive(0, 0)
    assert connection.get_library_version() == 12008000
    before, start = pings(server), time.monotonic()
    until(connection, lambda: time.monotonic() > start + 0.2)
    assert connection.get_library_version() == 12008000
    assert pings(server) == before


def test_nonsense_is_refused_by_name(connection: virtproto.Connection) -> None:
    with pytest.raises(ArgumentTypeError, match="interval_s"):
        connection.set_keep_alive("5", 5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="count"):
        connection.set_keep_alive(5, -1)
    with pytest.raises(UsageError, match="interval"):
        connection.set_keep_alive(float("nan"), 1)
    with pytest.raises(UsageError, match="interval_s"):
        connection.set_keep_alive(10**400, 1)
    assert connection.get_library_version() == 12008000
