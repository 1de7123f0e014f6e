"""Iterators over events where threads share one, signals interrupt, and nobody iterates."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.losing import FAST
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle
from tests.interrupting import interruption
from virtproto import deadline
from virtproto.errors import ConnectionClosedError, ConnectionLostError, DeadlineError
from virtproto.events import DomainLifecycle, Gap
from virtproto.sync.channel import Channel
from virtproto.sync.waiting import Waker
from virtproto.testing import CloseConnection, ScriptedServer
from virtproto.wire import keepalive
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION, ConnectGetLibVersionRet

_PATIENCE_S = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    with ScriptedServer({CONNECT_GET_LIB_VERSION: version}) as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


@pytest.fixture
def connection(server: ScriptedServer, tmp_path: Path) -> Iterator[virtproto.Connection]:
    with virtproto.open(f"test:///default?socket={tmp_path / 's'}") as opened:
        yield opened


def test_each_event_goes_to_one_of_the_threads_that_share_an_iterator(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[int] = []
    heard = connection.events(DomainLifecycle)
    heard.__enter__()

    def take() -> None:
        seen.extend(int(event.event) for event in heard)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in (0, 500):
        server.send(*(lifecycle(0, n) for n in range(start, start + 500)))
        # Calls go on meanwhile, whoever reads.
        assert connection.get_library_version() == 12008000
        until(connection, lambda: len(seen) == start + 500)  # noqa: B023 - called at once
    # Ends the loops of all.
    heard.close()
    for thread in threads:
        thread.join(_PATIENCE_S)
        assert not thread.is_alive()
    assert sorted(seen) == list(range(1000))
    assert registrar.kept == {}


def test_closing_the_connection_ends_the_loops_of_all_threads(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    ends: list[str] = []
    iterators = [connection.events(DomainLifecycle) for _ in range(2)]
    for each in iterators:
        each.__enter__()

    def take(number: int) -> None:
        for _ in iterators[number % 2]:
            pass
        ends.append("ended")

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    connection.close()
    for thread in threads:
        thread.join(_PATIENCE_S)
    assert ends == ["ended"] * 4


def test_an_interrupted_loop_goes_on(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    with connection.events(DomainLifecycle) as heard, interruption() as one:
        for number in range(5):
            timer = threading.Timer(0.02, one.send)
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                heard.next(timeout_s=_PATIENCE_S)
            timer.join()
            server.send(lifecycle(0, number))
            assert heard.next(timeout_s=_PATIENCE_S).event == number
            assert connection.get_library_version() == 12008000


def test_what_nobody_reads_is_kept_by_the_timekeeper(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    with connection.events(DomainLifecycle, limit=5) as heard:
        server.send(*(lifecycle(0, n) for n in range(20)))
        until(connection, lambda: heard.dropped == 15)
        assert [heard.next().event for _ in range(5)] == list(range(15, 20))


def test_what_nobody_takes_is_left_unread_although_keepalive_is_due(
    server: ScriptedServer, registrar: Registrar, tmp_path: Path
) -> None:
    uri = f"test:///default?socket={tmp_path / 's'}"
    with (
        virtproto.open(uri, keepalive=(0.05, 3)) as connection,
        connection.events(DomainLifecycle, limit=4, overflow="block") as heard,
    ):
        server.send(*(lifecycle(0, n) for n in range(6000)))
        until(connection, lambda: heard._queue.crowded)
        kept = len(heard._queue)
        # Signs of life were due all the time, on both sides.
        pongs = count_pongs(server)
        until(connection, lambda: count_pongs(server) > pongs + 20)
        assert len(heard._queue) == kept < 2000
        assert connection.is_alive()
        assert [heard.next().event for _ in range(6000)] == list(range(6000))


def test_the_end_of_a_daemon_is_heard_of_although_nothing_is_read(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    with connection.events(DomainLifecycle, limit=4, overflow="block") as heard:
        server.send(*(lifecycle(0, n) for n in range(6000)))
        until(connection, lambda: heard._queue.crowded)
        kept = len(heard._queue)
        server.stop()
        until(connection, lambda: not connection.is_alive())
        # Also what it had sent, and nobody had read.
        seen: list[int] = []
        with pytest.raises(ConnectionLostError):
            seen.extend(int(event.event) for event in heard)
        assert kept < len(seen) < 6000
        assert seen == list(range(len(seen)))


def count_pongs(server: ScriptedServer) -> int:
    return sum(
        packet.program == keepalive.PROGRAM and packet.procedure == keepalive.PONG
        for packet in server.packets
    )


def test_a_forgotten_iterator_has_the_daemon_told_where_a_thread_can(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    number = connection.domain_event_register_any(None, LIFECYCLE + 1, print)
    held = [connection.events(DomainLifecycle)]
    held[0].__enter__()
    with pytest.warns(ResourceWarning, match="never closed"):
        held.clear()
    until(connection, lambda: len(registrar.kept) == 1)
    connection.domain_event_deregister_any(number)


def test_a_block_of_limited_time_bounds_the_wait(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    with connection.events(DomainLifecycle) as heard:
        with pytest.raises(DeadlineError), deadline(0.05):
            for _ in heard:
                pass
        server.send(lifecycle(0, 1))
        assert heard.next(timeout_s=_PATIENCE_S).event == 1


def test_an_iterator_without_keepalive_is_read_by_who_iterates(
    server: ScriptedServer, registrar: Registrar, tmp_path: Path
) -> None:
    uri = f"test:///default?socket={tmp_path / 's'}"
    with (
        virtproto.open(uri, keepalive=None) as connection,
        connection.events(DomainLifecycle) as heard,
    ):
        server.send(*(lifecycle(0, n) for n in range(3)))
        assert [heard.next(timeout_s=_PATIENCE_S).event for _ in range(3)] == [0, 1, 2]
        heard.close()
        with pytest.raises(ConnectionClosedError):
            heard.next()


def test_a_closed_iterator_holds_no_descriptor(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    closed = []
    for _ in range(3):
        heard = connection.events(DomainLifecycle)
        with pytest.raises(DeadlineError):
            heard.next(timeout_s=0.001)
        heard.close()
        closed.append(heard)
    assert len(os.listdir("/proc/self/fd")) == before


class Ending:
    """A channel that another thread ends while somebody begins to listen to it."""

    def __init__(self, of: Channel) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def listen(self, listener: Any) -> None:
        if listener is not None:
            self._of.close()
        self._of.listen(listener)


def test_a_connection_that_ends_just_before_it_is_listened_to_leaves_nobody_waiting(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    living = connection._alive()
    living.delivery._channel = Ending(connection._channel)  # type: ignore[assignment]
    with pytest.raises(ConnectionClosedError):
        connection.register_close_callback(print)
    with pytest.raises(ConnectionClosedError):
        connection.events(DomainLifecycle).next(timeout_s=_PATIENCE_S)
    assert living.registry._finished is not None


def test_an_iterator_that_begins_to_wait_as_another_channel_comes_reads_that_one(
    server: ScriptedServer,
    registrar: Registrar,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nobody else reads.
    uri = f"test:///default?socket={tmp_path / 's'}"
    with (
        virtproto.open(uri, keepalive=None, reconnect=FAST) as connection,
        connection.events(DomainLifecycle) as heard,
    ):
        lost = connection._channel

        def late(sock: Any) -> Waker:
            # The channel is replaced after the iterator looked which one there is.
            if connection._channel is lost:
                registrar.kept.clear()
                server.send(CloseConnection())
                # A call may be answered before the server closes: nobody else would notice.
                while connection._channel is lost:
                    with contextlib.suppress(ConnectionLostError):
                        connection.get_library_version()
                # The gap comes behind the new channel.
                until(connection, lambda: connection.is_alive() and bool(heard._queue))
                gap: Any = heard._take()
                assert isinstance(gap, Gap)
                server.send(lifecycle(1, 7))
            return Waker(sock)

        monkeypatch.setattr("virtproto.sync.event_end.Waker", late)
        found: Any = heard.next(timeout_s=_PATIENCE_S / 2)
        assert found.event == 7
        assert connection._channel is not lost


def test_who_takes_while_another_thread_fills_the_queue_keeps_nobody_from_reading(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    with connection.events(DomainLifecycle, limit=1, overflow="block") as heard:
        queue = heard._queue
        tell = queue.on_crowd
        taken: list[object] = []

        def late() -> None:
            # Between the two lines of who fills it, the other takes what there was.
            taken.append(queue.take())
            tell()

        queue.on_crowd = late
        server.send(lifecycle(0, 0), lifecycle(0, 1))
        until(connection, lambda: taken and len(queue) == 1)
        assert not connection._channel._is_blocked
        server.send(*(lifecycle(0, n) for n in range(2, 6)))
        queue.on_crowd = tell
        assert [heard.next(timeout_s=_PATIENCE_S).event for _ in range(5)] == list(range(1, 6))
