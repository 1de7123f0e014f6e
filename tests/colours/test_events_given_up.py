"""Registrations for events that somebody gave up waiting for, in both colours."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle, noting
from virtproto.errors import ConnectionClosedError, DeadlineError
from virtproto.protocol.events import CallReceived
from virtproto.testing import NoReply, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


def test_a_registration_that_was_given_up_is_taken_on(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    held = threading.Event()

    def slow(call: CallReceived) -> Answer:
        held.wait(10)
        return registrar.register(call)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, slow)
    seen: list[Any] = []
    connection.call_timeout_s = 0.05
    for _ in range(2):
        with pytest.raises(DeadlineError):
            connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    connection.call_timeout_s = 10.0
    held.set()
    # Taken in with the reply to another call, or with that of the next registration.
    assert connection.get_library_version() == 12008000
    number = connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    assert len(registrar.kept) == 1
    server.send(lifecycle(0, 1))
    until(connection, lambda: len(seen) == 1)
    connection.domain_event_deregister_any(number)
    assert registrar.kept == {}
    number = connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    assert list(registrar.kept) == [1]
    connection.domain_event_deregister_any(number)
    assert registrar.kept == {}


def test_a_connection_may_end_while_a_registration_is_given_up(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, NoReply())
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError):
        connection.domain_event_register_any(None, LIFECYCLE, print)
    connection.close()
    with pytest.raises(ConnectionClosedError):
        connection.domain_event_register_any(None, LIFECYCLE, print)
