"""Iterators over events in both colours when more comes than is taken, and how they end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from types import ModuleType

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle
from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    EventOverflowError,
)
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.wire.remote import connect_event as calls

_PATIENCE_S = 10.0


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


def read_until(connection: virtproto.Connection, condition: Callable[[], bool]) -> None:
    """Make calls, which read what comes, until ``condition()`` holds."""
    until(connection, lambda: connection.get_library_version() and condition())


def test_the_oldest_make_room_and_are_counted(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10) as heard:
        server.send(*(lifecycle(0, n) for n in range(100)))
        read_until(connection, lambda: heard.dropped == 90)
        assert [heard.next().event for _ in range(10)] == list(range(90, 100))


def test_an_iterator_may_raise_when_more_comes_than_it_may_keep(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10, overflow="raise") as heard:
        server.send(*(lifecycle(0, n) for n in range(100)))
        read_until(connection, lambda: heard.dropped == 90)
        assert [heard.next().event for _ in range(10)] == list(range(10))
        for _ in range(2):
            with pytest.raises(EventOverflowError, match="more than 10 events"):
                heard.next(timeout_s=_PATIENCE_S)
    assert registrar.kept == {}


def test_a_blocking_iterator_loses_nothing(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10, overflow="block") as heard:
        server.send(*(lifecycle(0, n) for n in range(2000)))
        assert heard.next(timeout_s=_PATIENCE_S).event == 0
        # Somebody who waits for a reply has everything before it read.
        assert connection.get_library_version() == 12008000
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(1999)]
        assert seen == list(range(1, 2000))
        assert heard.dropped == 0


def test_an_iterator_ends_with_its_connection(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    heard = connection.events(events.DomainLifecycle)
    heard.__enter__()
    with connection.events(events.DomainLifecycle) as other:
        server.send(lifecycle(0, 1))
        assert other.next(timeout_s=_PATIENCE_S).event == 1
    connection.close()
    assert [each.event for each in heard] == [1]
    heard.close()
    with pytest.raises(ConnectionClosedError):
        next(iter(connection.events(events.DomainLifecycle)))


def test_an_iterator_tells_of_the_connections_loss(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle) as heard:
        server.send(lifecycle(0, 1), CloseConnection())
        assert heard.next(timeout_s=_PATIENCE_S).event == 1
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match="the daemon closed it"):
                heard.next(timeout_s=_PATIENCE_S)


def test_a_forgotten_iterator_is_closed_with_a_warning(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    heard = connection.events(events.DomainLifecycle)
    heard.__enter__()
    assert len(registrar.kept) == 1
    # The only one that has it.
    forgotten = [heard]
    del heard
    with pytest.warns(ResourceWarning, match="an iterator over events was never closed"):
        forgotten.clear()
    gc.collect()
    server.send(lifecycle(0, 1))
    # The next change of what is heard tells the daemon, if nothing did before.
    with connection.events(events.DomainReboot):
        until(connection, lambda: len(registrar.kept) == 1)
    assert registrar.kept == {}


def test_a_registration_that_was_given_up_is_taken_on(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        go_on.wait(_PATIENCE_S)
        return registrar.register(call)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, slow)
    connection.call_timeout_s = 0.05
    heard = connection.events(events.DomainLifecycle)
    for _ in range(2):
        with pytest.raises(DeadlineError):
            heard.next()
    connection.call_timeout_s = _PATIENCE_S
    go_on.set()
    with heard:
        assert len(registrar.kept) == 1
        server.send(lifecycle(0, 3))
        assert heard.next(timeout_s=_PATIENCE_S).event == 3
    assert registrar.kept == {}


def test_a_deregistration_that_was_given_up_is_not_lost(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        go_on.wait(_PATIENCE_S)
        return registrar.deregister(call)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, slow)
    number = connection.domain_event_register_any(None, LIFECYCLE, print)
    heard = connection.events(events.DomainReboot)
    heard.__enter__()
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError):
        connection.domain_event_deregister_any(number)
    heard.close()
    connection.call_timeout_s = _PATIENCE_S
    go_on.set()
    with connection.events(events.DomainLifecycle) as again:
        assert len(registrar.kept) == 1
        server.send(lifecycle(next(iter(registrar.kept)), 5))
        assert again.next(timeout_s=_PATIENCE_S).event == 5
    assert registrar.kept == {}


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> int:
    """A connection's callbacks may have only so many events wait for them."""
    monkeypatch.setattr("virtproto.model.subscriptions.CALLBACK_LIMIT", 20)
    return 20


def test_what_callbacks_are_too_slow_for_is_dropped_and_counted(
    bounded: int, server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    go_on = threading.Event()
    seen: list[int] = []

    def slow(conn: object, dom: object, event: int, detail: int) -> None:
        seen.append(int(event))
        if len(seen) == 1:
            # The loop of asyncio stands still meanwhile, and reads nothing.
            server.send(*(lifecycle(0, n) for n in range(1, 101)))
            go_on.wait(0.5)

    connection.domain_event_register_any(None, LIFECYCLE, slow)
    server.send(lifecycle(0, 0))
    until(connection, lambda: seen)
    read_until(connection, lambda: len(seen) + connection.events_dropped > 50)
    go_on.set()
    read_until(connection, lambda: len(seen) + connection.events_dropped == 101)
    assert seen[-1] == 100
    assert len(seen) < 100


def test_a_full_iterator_that_blocks_has_nothing_read_and_the_connection_lives(
    server: ScriptedServer,
    registrar: Registrar,
    uri: str,
    open_in_colour: Open,
    events: ModuleType,
) -> None:
    sent = 8_000
    with (
        open_in_colour(uri, keepalive=(0.25, 1)) as connection,
        connection.events(events.DomainLifecycle, limit=10, overflow="block") as heard,
    ):
        queue = getattr(heard, "_target", heard)._queue
        server.send(*(lifecycle(0, n) for n in range(sent)))
        assert heard.next(timeout_s=_PATIENCE_S).event == 0
        # Several times as long as a dead daemon is given.
        started = time.monotonic()
        until(connection, lambda: time.monotonic() > started + 0.8)
        assert queue.crowded
        # What came at once, and with each sign of life that was looked for.
        assert len(queue) < sent // 2
        assert connection.is_alive()
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(1, sent)]
        assert seen == list(range(1, sent))
        assert connection.get_library_version() == 12008000
