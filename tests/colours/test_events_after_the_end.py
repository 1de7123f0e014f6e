"""Events asked for of a connection that has ended, whose registrations are known still."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.losing import away, gone
from tests.colours.test_events import LIFECYCLE, Registrar
from virtproto.errors import ConnectionClosedError, ConnectionLostError
from virtproto.model.event_queue import EventQueue
from virtproto.model.subscriptions import Subscriptions
from virtproto.testing import CloseConnection, ScriptedServer

# How long an event may take to come that should come at once.
_PATIENCE_S = 5.0


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


def close_it(connection: virtproto.Connection, server: ScriptedServer) -> None:
    connection.close()


def lose_it(connection: virtproto.Connection, server: ScriptedServer) -> None:
    server.send(CloseConnection())
    gone(connection)


ENDS = {"closed": close_it, "lost": lose_it}


@pytest.fixture(params=list(ENDS))
def end(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Each way in which a connection ends."""
    return ENDS[request.param]


def test_nothing_is_asked_of_a_connection_that_has_ended(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
    end: Callable[..., None],
) -> None:
    number = connection.domain_event_register_any(None, LIFECYCLE, print)
    end(connection, server)
    heard = connection.events(events.DomainLifecycle)
    for _ in range(2):
        with pytest.raises(ConnectionClosedError, match="no call can be made"):
            heard.next(timeout_s=_PATIENCE_S)
    with pytest.raises(ConnectionClosedError):
        next(iter(heard))
    with pytest.raises(ConnectionClosedError):
        connection.domain_event_register_any(None, LIFECYCLE, print)
    with pytest.raises(ConnectionClosedError):
        connection.domain_event_register(print)
    with pytest.raises(ConnectionClosedError):
        connection.register_close_callback(print)
    registry = connection._alive().registry
    assert list(registry._by_number) == [number]
    assert not registry._by_queue


def test_a_connection_that_ends_while_it_is_asked_ends_the_iterator(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.domain_event_register_any(None, LIFECYCLE, print)
    living = connection._alive()
    enrol = Subscriptions.enrol

    def enrol_late(registry: Subscriptions, queue: EventQueue) -> None:
        # As it goes where another thread closes it, or hears of the end, just now.
        living.delivery.finish(ConnectionLostError("by then"))
        enrol(registry, queue)

    monkeypatch.setattr(Subscriptions, "enrol", enrol_late)
    heard = connection.events(events.DomainLifecycle)
    with pytest.raises(ConnectionLostError, match="by then"):
        heard.next(timeout_s=_PATIENCE_S)
    heard.close()


def test_a_lasting_connection_that_was_given_up_says_why(
    server: ScriptedServer,
    registrar: Registrar,
    path: str,
    lasting: virtproto.Connection,
    events: ModuleType,
) -> None:
    lasting.domain_event_register_any(None, LIFECYCLE, print)
    with away(server, path):
        gone(lasting)
        lasting.close()
    until(lasting, lambda: lasting.state == "closed")
    with pytest.raises(ConnectionClosedError):
        lasting.events(events.DomainLifecycle).next(timeout_s=_PATIENCE_S)
