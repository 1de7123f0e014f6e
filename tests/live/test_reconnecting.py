"""Connections that outlast their daemon, in both colours: killed, restarted, frozen, replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from virtproto import Reconnect
from virtproto.constants import ConnectCloseReason, DomainEventType
from virtproto.errors import ConnectionLostError, DeadlineError, VirtprotoError
from virtproto.events import Gap

pytestmark = pytest.mark.lab

TEST = "test:///default"
FAST = Reconnect(0.02, 0.2)
# What is to happen at once happens within this, on a busy machine, too.
PROMPT_S = 1.0
SILENT = (0.2, 2)


@pytest.fixture
def daemon() -> Iterator[PrivateDaemon]:
    """A daemon that a test may kill."""
    with private_daemon("9.0.0") as running:
        yield running


@pytest.fixture
def lasting(daemon: PrivateDaemon, open_in_colour: Open) -> Iterator[virtproto.Connection]:
    with open_in_colour(daemon.uri(TEST), reconnect=FAST) as connection:
        yield connection


@pytest.fixture
def records(lasting: virtproto.Connection) -> ModuleType:
    """The records of events of the test's colour."""
    blocking = isinstance(lasting, virtproto.Connection)
    return import_module("virtproto.events" if blocking else "virtproto.aio.events")


@contextmanager
def soon(function: Callable[[], object], delay_s: float = 0.1) -> Iterator[None]:
    """Have something happen while the body waits for what comes of it."""
    timer = threading.Timer(delay_s, function)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def gone(connection: virtproto.Connection) -> None:
    """Wait until the connection knows that it was lost."""
    until(connection, lambda: not connection.is_alive())


def test_calls_wait_for_a_daemon_that_is_killed_and_started_again(
    daemon: PrivateDaemon, lasting: virtproto.Connection
) -> None:
    domain = lasting.get_domain_by_name("test")
    # An ID that the next daemon does not know the domain by.
    domain.destroy()
    domain.create()
    before = domain.get_id()
    daemon.kill()
    gone(lasting)
    with soon(daemon.restart):
        assert domain.get_info().vcpus == 2
    assert lasting.state == "open"
    assert lasting.get_domain_by_name("test") == domain
    assert lasting.get_domain_by_name("test").get_id() != before
    domain.destroy()


def test_a_call_in_flight_fails_at_once_and_says_that_it_may_have_run(
    daemon: PrivateDaemon, lasting: virtproto.Connection
) -> None:
    daemon.freeze()
    killed: list[float] = []

    def kill() -> None:
        killed.append(time.monotonic())
        daemon.kill()

    with soon(kill), pytest.raises(ConnectionLostError, match="may have run") as caught:
        lasting.get_hostname()
    assert time.monotonic() - killed[0] < PROMPT_S
    assert caught.value.may_have_run
    with soon(daemon.restart):
        assert lasting.get_hostname()


def test_an_iterator_and_callbacks_go_on_after_a_gap(
    daemon: PrivateDaemon, lasting: virtproto.Connection, records: ModuleType
) -> None:
    reasons: list[int] = []
    seen: list[Any] = []
    lasting.register_close_callback(lambda connection, reason: reasons.append(reason))
    lasting.domain_event_register_any(None, 0, lambda *about: seen.append(about[2]))
    domain = lasting.get_domain_by_name("test")
    with lasting.events(records.DomainLifecycle) as heard:
        domain.suspend()
        assert heard.next(timeout_s=10).event == DomainEventType.SUSPENDED
        daemon.kill()
        gone(lasting)
        with soon(daemon.restart):
            gap: Any = heard.next(timeout_s=30)
        assert isinstance(gap, Gap)
        assert gap.reason == ConnectCloseReason.EOF
        assert 0.1 < gap.lasted_s < 30
        # The new daemon's domain is as it was at first.
        domain.suspend()
        assert heard.next(timeout_s=10).event == DomainEventType.SUSPENDED
        until(lasting, lambda: len(seen) == 2)
    assert seen == [DomainEventType.SUSPENDED] * 2
    assert reasons == [1]


def test_a_frozen_daemon_is_given_up_and_found_again(
    daemon: PrivateDaemon, open_in_colour: Open
) -> None:
    reasons: list[int] = []
    options: dict[str, Any] = {"reconnect": FAST, "keepalive": SILENT, "timeout_s": 0.5}
    with open_in_colour(daemon.uri(TEST), **options) as connection:
        connection.register_close_callback(lambda conn, reason: reasons.append(reason))
        daemon.freeze()
        began = time.monotonic()
        with pytest.raises(ConnectionLostError) as caught:
            connection.get_hostname()
        # Interval times count and one more, as libvirt counts it, and a second of grace.
        assert SILENT[0] * SILENT[1] <= time.monotonic() - began < 0.6 + PROMPT_S
        assert caught.value.may_have_run
        until(connection, lambda: reasons)
        assert reasons == [2]
        with pytest.raises(DeadlineError, match="nothing was sent"):
            connection.call(virtproto.wire.remote.CONNECT_GET_HOSTNAME, None, timeout_s=0.3)
        with soon(daemon.thaw):
            assert connection.get_hostname()


def test_it_gives_up_when_its_time_is_over(daemon: PrivateDaemon, open_in_colour: Open) -> None:
    policy = Reconnect(0.02, 0.1, give_up_after_s=0.5)
    with open_in_colour(daemon.uri(TEST), reconnect=policy) as connection:
        daemon.kill()
        gone(connection)
        began = time.monotonic()
        with pytest.raises(ConnectionLostError, match="could not be opened anew") as caught:
            connection.get_hostname()
        assert time.monotonic() - began < 0.5 + PROMPT_S
        assert not caught.value.may_have_run
        assert connection.state == "closed"
    daemon.restart()


def test_a_daemon_of_another_release_takes_over(
    daemon: PrivateDaemon,
    libvirtd_7_0: PrivateDaemon,
    open_in_colour: Open,
    tmp_path: Path,
) -> None:
    link = tmp_path / "s"
    link.symlink_to(daemon.socket_path)
    seen: list[Any] = []
    with open_in_colour(f"{TEST}?socket={link}", reconnect=FAST) as connection:
        assert connection.get_library_version() == 9000000
        connection.domain_event_register_any(None, 0, lambda *about: seen.append(about[2]))
        domain = connection.get_domain_by_name("test")
        daemon.kill()
        gone(connection)
        other = tmp_path / "other"
        other.symlink_to(libvirtd_7_0.socket_path)
        other.rename(link)
        assert connection.get_library_version() == 7000000
        domain.suspend()
        until(connection, lambda: seen)
        domain.resume()
    assert seen[0] == DomainEventType.SUSPENDED


def test_restarts_again_and_again(
    daemon: PrivateDaemon, lasting: virtproto.Connection, records: ModuleType
) -> None:
    threads = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd"))
    with lasting.events(records.DomainLifecycle) as heard:
        for _ in range(3):
            daemon.kill()
            gone(lasting)
            daemon.restart()
            assert lasting.get_hostname()
            assert isinstance(heard.next(timeout_s=10), Gap)
    until(lasting, lambda: threading.active_count() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 4


def test_what_is_not_there_at_first_is_an_error_all_the_same(
    daemon: PrivateDaemon, open_in_colour: Open
) -> None:
    uri = daemon.uri(TEST)
    daemon.kill()
    with pytest.raises(VirtprotoError, match="nobody listens"), open_in_colour(uri, reconnect=True):
        pass
    daemon.restart()
