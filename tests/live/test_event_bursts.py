"""Bursts of events of a real daemon: none lost, none reordered, and what becomes of too many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from virtproto import aio, constants
from virtproto import events as sync_events
from virtproto.aio import events as aio_events
from virtproto.errors import EventOverflowError

pytestmark = pytest.mark.lab

TEST = "test:///default"
SUSPENDED, RESUMED = constants.DomainEventType.SUSPENDED, constants.DomainEventType.RESUMED
# Pairs of events; a daemon takes about a second for the larger number.
MANY = 5_000
SOME = 500
_PATIENCE_S = 60.0


def storm(daemon: PrivateDaemon, pairs: int) -> None:
    """Pause and resume a domain so many times, on a connection of its own."""
    with virtproto.open(daemon.uri(TEST)) as connection:
        domain = connection.get_domain_by_name("test")
        for _ in range(pairs):
            domain.suspend()
            domain.resume()


@contextmanager
def storming(daemon: PrivateDaemon, pairs: int) -> Iterator[None]:
    """Have a storm going on meanwhile."""
    thread = threading.Thread(target=storm, args=(daemon, pairs))
    thread.start()
    try:
        yield
    finally:
        thread.join(_PATIENCE_S)


def lifecycle_of(connection: virtproto.Connection) -> type[sync_events.DomainLifecycle]:
    """Return the record's class in the connection's colour."""
    target: Any = getattr(connection, "_target", connection)
    kind: Any = aio_events if isinstance(target, aio.Connection) else sync_events
    found: type[sync_events.DomainLifecycle] = kind.DomainLifecycle
    return found


def read_until(connection: virtproto.Connection, condition: Callable[[], bool]) -> None:
    """Make calls, which read what comes, until ``condition()`` holds."""
    until(connection, lambda: connection.get_library_version() and condition())


def test_ten_thousand_events_are_neither_lost_nor_reordered(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(TEST)) as connection,
        connection.events(lifecycle_of(connection)) as heard,
        storming(libvirtd, MANY),
    ):
        seen = [heard.next(timeout_s=_PATIENCE_S) for _ in range(2 * MANY)]
        assert [each.event for each in seen] == [SUSPENDED, RESUMED] * MANY
        assert {each.domain.get_name() for each in seen} == {"test"}
        assert heard.dropped == 0


def test_iterators_of_all_kinds_and_callbacks_hear_the_same(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    called: list[int] = []
    with (
        open_in_colour(libvirtd.uri(TEST)) as connection,
        connection.events() as everything,
        connection.events(
            lifecycle_of(connection), about=connection.get_domain_by_name("test")
        ) as one,
    ):
        connection.domain_event_register_any(
            None, 0, lambda conn, dom, event, detail: called.append(event)
        )
        with storming(libvirtd, SOME):
            expected = [SUSPENDED, RESUMED] * SOME
            assert [one.next(timeout_s=_PATIENCE_S).event for _ in expected] == expected
            assert [everything.next(timeout_s=_PATIENCE_S).event for _ in expected] == expected
            until(connection, lambda: len(called) == len(expected), _PATIENCE_S)
        assert called == expected
        assert connection.events_dropped == 0


def test_a_slow_consumer_gets_the_newest_and_a_count(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(TEST)) as connection,
        connection.events(lifecycle_of(connection), limit=100) as heard,
    ):
        storm(libvirtd, SOME)
        read_until(connection, lambda: heard.dropped == 2 * SOME - 100)
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(100)]
        assert seen == [SUSPENDED, RESUMED] * 50
        assert len(seen) + heard.dropped == 2 * SOME


def test_a_slow_consumer_is_told_that_it_is_too_slow(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(TEST)) as connection,
        connection.events(lifecycle_of(connection), limit=100, overflow="raise") as heard,
    ):
        storm(libvirtd, SOME)
        read_until(connection, lambda: heard.dropped == 2 * SOME - 100)
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(100)]
        assert seen == [SUSPENDED, RESUMED] * 50
        with pytest.raises(EventOverflowError):
            heard.next(timeout_s=_PATIENCE_S)
        assert len(seen) + heard.dropped == 2 * SOME


def test_a_slow_consumer_may_hold_the_daemon_up(
    libvirtd: PrivateDaemon, open_in_colour: Open
) -> None:
    with (
        open_in_colour(libvirtd.uri(TEST)) as connection,
        connection.events(lifecycle_of(connection), limit=10, overflow="block") as heard,
    ):
        storm(libvirtd, MANY)
        # More than the socket holds: most of it waits at the daemon.
        first = heard.next(timeout_s=_PATIENCE_S)
        assert first.event == SUSPENDED
        kept = len(getattr(heard, "_target", heard)._queue)
        assert kept < 2 * MANY - 1
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(2 * MANY - 1)]
        assert [first.event, *seen] == [SUSPENDED, RESUMED] * MANY
        assert heard.dropped == 0
