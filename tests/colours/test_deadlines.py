"""Time limits for a block, in both colours: what heeds them, what does not, and what follows."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import virtproto
from tests.colours.asking import asked_after_opening
from tests.colours.driving import TOGETHER, Open, until
from tests.colours.streaming import opened, sent_to
from tests.colours.test_events import Registrar, lifecycle
from virtproto import aio, deadline
from virtproto.aio import events as aio_events
from virtproto.errors import ConnectError, DeadlineError, UsageError
from virtproto.protocol.events import CallReceived, StreamAbortAsked
from virtproto.testing import NoReply, ScriptedServer, SendStreamData
from virtproto.testing.actions import Answer
from virtproto.transport.deadline import time_left
from virtproto.wire import qemu, remote

SHORT_S = 0.05
# Far more than SHORT_S, and far less than what would hang.
PATIENCE_S = 5.0

HOSTNAME = remote.CONNECT_GET_HOSTNAME
REGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY


class Late:
    """Answers of the daemon that come only when they are let go."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._gate = threading.Event()

    def __call__(self, call: CallReceived) -> Answer:
        self._gate.wait(PATIENCE_S)
        return self._answer

    def let_go(self) -> None:
        self._gate.set()


@pytest.fixture
def late_name(server: ScriptedServer) -> Iterator[Late]:
    """The daemon's answer to get_hostname, late."""
    late = Late(remote.ConnectGetHostnameRet(hostname="h"))
    server.handle(HOSTNAME, late)
    yield late
    late.let_go()


class Watch:
    """Checks that a block takes no longer than it should."""

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *failure: object) -> None:
        assert time.monotonic() - self._began < PATIENCE_S


def is_usable(connection: virtproto.Connection) -> bool:
    return connection.get_library_version() == 12008000


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "1"])
def test_what_is_no_limit_is_refused(seconds: Any) -> None:
    with pytest.raises(UsageError, match="seconds: "):
        deadline(seconds)


def test_a_call_ends_with_the_block_and_its_late_reply_is_nobodys(
    server: ScriptedServer, connection: virtproto.Connection, late_name: Late
) -> None:
    with (
        Watch(),
        deadline(SHORT_S),
        pytest.raises(DeadlineError, match=r"CONNECT_GET_HOSTNAME: no answer within 0\.0"),
    ):
        connection.get_hostname()
    late_name.let_go()
    # The late reply comes first, and belongs to the serial that was given up.
    assert is_usable(connection)
    assert connection.get_hostname() == "h"


def test_when_time_is_over_nothing_is_sent(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(HOSTNAME, NoReply())
    server.handle(remote.CONNECT_GET_URI, NoReply())
    with deadline(SHORT_S):
        with pytest.raises(DeadlineError):
            connection.get_hostname()
        before = len(server.packets)
        refused: list[Callable[[], object]] = [
            connection.get_library_version,
            lambda: connection.get_domain_by_name("web"),
            lambda: connection.call(HOSTNAME, None, timeout_s=10.0),
            lambda: connection.domain_event_register_any(None, 0, print),
            lambda: connection._exchange_with_fds(qemu.DOMAIN_MONITOR_COMMAND_WITH_FILES, b"", []),
        ]
        for attempt in refused:
            with Watch(), pytest.raises(DeadlineError, match="no time was left for it"):
                attempt()
    # What comes now shows that nothing came before it.
    assert is_usable(connection)
    assert [packet.procedure for packet in server.packets[before:]] == [157]


def test_the_limit_is_for_all_calls_of_the_block(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    def slow(call: CallReceived) -> Answer:
        time.sleep(0.02)
        return remote.ConnectGetHostnameRet(hostname="h")

    server.handle(HOSTNAME, slow)
    done = 0

    def ask_again_and_again() -> None:
        nonlocal done
        for _ in range(1000):
            connection.get_hostname()
            done += 1

    with Watch(), deadline(0.3), pytest.raises(DeadlineError):
        ask_again_and_again()
    assert 1 <= done <= 15
    assert is_usable(connection)


def test_of_several_limits_the_shortest_counts(
    connection: virtproto.Connection, late_name: Late
) -> None:
    with Watch(), deadline(60), deadline(SHORT_S), deadline(30), pytest.raises(DeadlineError):
        connection.get_hostname()
    connection.call_timeout_s = SHORT_S
    with Watch(), deadline(60), pytest.raises(DeadlineError, match=r"within 0\.05 s"):
        connection.get_hostname()
    connection.call_timeout_s = 60.0
    with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError, match=r"within 0\.0"):
        connection.get_hostname()
    with Watch(), deadline(SHORT_S), deadline(None), pytest.raises(DeadlineError):
        connection.get_hostname()
    with deadline(60):
        with suppress(DeadlineError), deadline(SHORT_S):
            connection.get_hostname()
        late_name.let_go()
        # The inner block's end is not the outer one's.
        assert connection.get_hostname() == "h"


def test_a_limit_holds_for_every_connection(
    server: ScriptedServer, uri: str, colour: str, late_name: Late
) -> None:
    with TOGETHER[colour](uri, uri) as connections, deadline(SHORT_S):
        for connection in connections:
            with Watch(), pytest.raises(DeadlineError):
                connection.get_hostname()
        late_name.let_go()


def test_a_conversation_of_several_calls_has_one_limit(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    """get_all_domain_stats and the like are one call; block jobs' and CPUs' are several."""
    web = connection.get_domain_by_name("web")
    server.handle(remote.DOMAIN_GET_CPU_STATS, NoReply())
    before = len(server.calls)
    with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError):
        web.get_cpu_stats(-1, 1)
    assert len(server.calls) == before + 1
    assert is_usable(connection)


def test_opening_heeds_it(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(remote.CONNECT_OPEN, NoReply())
    with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError, match="CONNECT_OPEN"):
        open_in_colour(uri).__enter__()
    ended = server.connections_ended
    with deadline(SHORT_S / 10):
        time.sleep(SHORT_S / 5)
        with pytest.raises(DeadlineError, match="no time was left for a connection to"):
            open_in_colour(uri).__enter__()
    server.wait_until(lambda seen: seen.connections_ended == max(1, ended))
    assert not isinstance(DeadlineError(""), ConnectError)


def test_what_was_opened_in_a_block_outlasts_it(
    server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    """Also what goes on by itself: functions that events call make calls of their own."""
    Registrar(server)
    limits: list[float | None] = []

    def callback(connection: Any, *event: object) -> None:
        limits.append(time_left(None))

    with deadline(SHORT_S):
        opening = open_in_colour(uri)
        connection = opening.__enter__()
        number = connection.domain_event_register_any(None, 0, callback)
    time.sleep(SHORT_S)
    server.send(lifecycle(0, 2))
    until(connection, lambda: limits)
    assert limits == [None]
    connection.domain_event_deregister_any(number)
    assert is_usable(connection)
    opening.__exit__(None, None, None)


def test_closing_takes_no_longer(server: ScriptedServer, uri: str, open_in_colour: Open) -> None:
    server.handle(HOSTNAME, NoReply())
    server.handle(remote.CONNECT_CLOSE, NoReply())
    began = time.monotonic()
    with deadline(SHORT_S), open_in_colour(uri) as connection, pytest.raises(DeadlineError):
        connection.get_hostname()
    # CLOSE_TIMEOUT_S is 2 s.
    assert time.monotonic() - began < 1.5


def test_a_stream_heeds_it_and_is_dropped(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    match = "STORAGE_VOL_DOWNLOAD"
    with (
        Watch(),
        deadline(SHORT_S),
        pytest.raises(DeadlineError, match=match),
        opened(server, connection) as stream,
    ):
        stream.recv(10)
    # The daemon was told, though there was no time left.
    server.wait_until(lambda seen: any(isinstance(e, StreamAbortAsked) for e in seen.events))
    assert is_usable(connection)


def test_data_that_is_there_can_be_read_when_time_is_over(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection, SendStreamData(b"there"))
    assert stream.recv(2) == b"th"
    with deadline(SHORT_S / 10):
        time.sleep(SHORT_S / 5)
        assert stream.recv(100) == b"ere"
        with pytest.raises(DeadlineError):
            stream.recv(100)
    stream.abort()
    assert is_usable(connection)


def test_nothing_is_sent_on_a_stream_when_time_is_over(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection)
    with deadline(SHORT_S / 10):
        time.sleep(SHORT_S / 5)
        with pytest.raises(DeadlineError, match="no time was left for it"):
            stream.send(b"data")
        with suppress(DeadlineError):
            stream.abort()
    assert is_usable(connection)
    assert sent_to(server) == b""


def test_a_daemon_that_takes_nothing_is_not_waited_for(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = opened(server, connection)
    goes_on = threading.Event()

    def stand_still() -> None:
        goes_on.wait(PATIENCE_S)

    server._do(stand_still)

    def send_on() -> None:
        for _ in range(1000):
            stream.send(bytes(100_000))

    try:
        with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError):
            send_on()
        with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError):
            connection.get_library_version()
    finally:
        goes_on.set()
    with suppress(virtproto.VirtprotoError):
        stream.abort()
    assert is_usable(connection)


def test_a_registration_heeds_it(server: ScriptedServer, connection: virtproto.Connection) -> None:
    registrar = Registrar(server)
    gate = threading.Event()

    def register(call: CallReceived) -> Answer:
        gate.wait(PATIENCE_S)
        return registrar.register(call)

    server.handle(REGISTER, register)
    with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError):
        connection.domain_event_register_any(None, 0, print)
    gate.set()
    # It is taken on rather than made again: the daemon would refuse a second one.
    number = connection.domain_event_register_any(None, 0, print)
    asked = [each for each, _ in asked_after_opening(server)]
    assert asked.count(REGISTER.number) == 1
    connection.domain_event_deregister_any(number)
    assert is_usable(connection)


def test_an_iterator_over_events_heeds_it(
    server: ScriptedServer, connection: virtproto.Connection, colour: str
) -> None:
    Registrar(server)
    kinds: Any = virtproto.events if colour == "sync" else aio_events
    with connection.events(kinds.DomainLifecycle) as events:
        server.send(lifecycle(0, 2))
        with Watch(), deadline(60):
            assert events.next().domain.get_name() == "one"
        for timeout_s in (None, 60.0):
            with Watch(), deadline(SHORT_S), pytest.raises(DeadlineError, match="no event within"):
                events.next(timeout_s=timeout_s)
        with deadline(SHORT_S / 10):
            time.sleep(SHORT_S / 5)
            with Watch(), pytest.raises(DeadlineError, match="no event within 0 s"):
                events.next()
        server.send(lifecycle(0, 3))
        assert int(events.next().event) == 3
    assert is_usable(connection)


# What the contexts of threads and tasks have to do with it is a matter of one colour each.


def test_another_threads_limit_is_not_this_ones(server: ScriptedServer, uri: str) -> None:
    server.handle(HOSTNAME, remote.ConnectGetHostnameRet(hostname="h"))
    with virtproto.open(uri) as connection, deadline(SHORT_S / 10):
        time.sleep(SHORT_S / 5)
        names: list[str] = []
        thread = threading.Thread(target=lambda: names.append(connection.get_hostname()))
        thread.start()
        thread.join(PATIENCE_S)
        assert names == ["h"]
        with pytest.raises(DeadlineError):
            connection.get_hostname()


def test_tasks_started_in_a_block_heed_it_and_others_do_not(
    server: ScriptedServer, uri: str, late_name: Late
) -> None:
    async def ask() -> None:
        async with aio.open(uri) as connection:
            free = asyncio.create_task(connection.get_hostname())
            await asyncio.sleep(0)
            with deadline(SHORT_S):
                bound = asyncio.create_task(connection.get_hostname())
            with pytest.raises(DeadlineError):
                await bound
            assert not free.done()
            late_name.let_go()
            assert await free == "h"
            assert await connection.get_library_version() == 12008000

    asyncio.run(asyncio.wait_for(ask(), PATIENCE_S), debug=True)


def test_a_cancelled_call_in_a_block_is_cancelled(
    server: ScriptedServer, uri: str, late_name: Late
) -> None:
    async def ask() -> None:
        async with aio.open(uri) as connection:
            with deadline(60):
                task = asyncio.create_task(connection.get_hostname())
            await asyncio.sleep(SHORT_S)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            late_name.let_go()
            assert await connection.get_library_version() == 12008000
            assert await connection.get_hostname() == "h"

    asyncio.run(asyncio.wait_for(ask(), PATIENCE_S), debug=True)


def test_an_interrupt_in_a_block_gives_the_call_up(
    server: ScriptedServer, uri: str, late_name: Late
) -> None:
    import signal

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with virtproto.open(uri) as connection:
            signal.setitimer(signal.ITIMER_REAL, SHORT_S)
            with Watch(), deadline(60), pytest.raises(KeyboardInterrupt):
                connection.get_hostname()
            late_name.let_go()
            assert is_usable(connection)
            assert connection.get_hostname() == "h"
    finally:
        signal.signal(signal.SIGALRM, before)
