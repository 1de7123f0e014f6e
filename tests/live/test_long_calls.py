"""Long calls on a real daemon: with the limiter, what is short and what is urgent gets through.

A guest whose emulator is stopped keeps every question about it waiting. A libvirtd with its own
default of max_client_requests, 5, reads nothing more once five of them are with it. An urgent call
has the fifth place for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import pytest

import virtproto
from tests.lab.daemon import PrivateDaemon
from tests.lab.guests import EchoGuest
from tests.live.packet_watch import PacketWatch
from virtproto import aio
from virtproto.wire.remote import CONNECT_GET_HOSTNAME

pytestmark = pytest.mark.lab

SLOW_CALLS = 16
# Within what the daemon answers while slow calls are under way.
PROMPT_S = 0.1
KEEPALIVE = (0.2, 100)
# How long pings are watched, and how long an answer is awaited that must not come.
WATCH_S = 1.0
IN_VAIN_S = 0.5
LIMIT_S = 30.0


class Crowd(Protocol):
    """A connection on which many things are asked at once, in either colour."""

    def start(self, question: Callable[[Any], Any]) -> Future[Any]:
        """Begin to ask something of the connection."""

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Ask something of the connection, and wait for it."""
        return self.start(question).result(LIMIT_S)


class Threads(Crowd):
    """A thread for each question."""

    def __init__(self, connection: virtproto.Connection, pool: ThreadPoolExecutor) -> None:
        self._connection, self._pool = connection, pool

    def start(self, question: Callable[[Any], Any]) -> Future[Any]:
        return self._pool.submit(question, self._connection)


class Tasks(Crowd):
    """A task for each question, in a loop that runs by itself."""

    def __init__(self, connection: aio.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection, self._loop = connection, loop

    def start(self, question: Callable[[Any], Any]) -> Future[Any]:
        async def asked() -> Any:
            return await question(self._connection)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop)


@contextlib.contextmanager
def threads(uri: str, **options: Any) -> Iterator[Crowd]:
    with (
        virtproto.open(uri, **options) as connection,
        ThreadPoolExecutor(2 * SLOW_CALLS + 1) as pool,
    ):
        yield Threads(connection, pool)


@contextlib.contextmanager
def tasks(uri: str, **options: Any) -> Iterator[Crowd]:
    async def opened() -> aio.Connection:
        return await aio.open(uri, **options)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    connection = asyncio.run_coroutine_threadsafe(opened(), loop).result(LIMIT_S)
    try:
        yield Tasks(connection, loop)
    finally:
        asyncio.run_coroutine_threadsafe(connection.close(), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(params=[threads, tasks], ids=["sync", "aio"])
def crowd(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """What opens a connection for many questions at once, in each colour."""
    opener: Callable[..., Any] = request.param
    return opener


@pytest.fixture(scope="module")
def guests(libvirtd: PrivateDaemon) -> Iterator[tuple[EchoGuest, EchoGuest, int]]:
    """Two guests that run, and the process of the first one's emulator."""
    uri = libvirtd.uri("qemu:///system")
    with (
        EchoGuest(libvirtd.folder, "stuck") as stuck,
        EchoGuest(libvirtd.folder, "well") as well,
        virtproto.open(uri) as connection,
    ):
        domains = [connection.create_domain(guest.xml) for guest in (stuck, well)]
        try:
            pid = int((libvirtd.folder / "run" / "qemu" / "stuck.pid").read_text())
            yield stuck, well, pid
        finally:
            for domain in domains:
                domain.destroy()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A time in which an emulator does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def watch(libvirtd: PrivateDaemon) -> Iterator[PacketWatch]:
    with PacketWatch(libvirtd.socket_path) as running:
        yield running


def start_slow_calls(crowd: Crowd, name: str) -> list[Future[Any]]:
    domain = crowd.ask(lambda connection: connection.get_domain_by_name(name))
    return [crowd.start(lambda _: domain.block_stats("hda")) for _ in range(SLOW_CALLS)]


def duration(crowd: Crowd, question: Callable[[Any], Any]) -> float:
    start = time.monotonic()
    crowd.ask(question)
    return time.monotonic() - start


def abort_without_a_job(crowd: Crowd, name: str) -> float:
    """Return how long it takes to be told that there is no job to abort."""
    domain = crowd.ask(lambda connection: connection.get_domain_by_name(name))
    start = time.monotonic()
    with pytest.raises(virtproto.LibvirtError, match="no job is active"):
        crowd.ask(lambda _: domain.abort_job())
    return time.monotonic() - start


def test_slow_calls_and_a_ping(
    guests: tuple[EchoGuest, EchoGuest, int], watch: PacketWatch, crowd: Callable[..., Any]
) -> None:
    stuck, well, pid = guests
    uri = f"qemu+unix:///system?socket={watch.path}"
    with crowd(uri, keepalive=KEEPALIVE) as many:
        with stopped(pid):
            slow = start_slow_calls(many, stuck.name)
            watch.wait_for_calls(4)
            waits = [duration(many, lambda conn: conn.get_hostname()) for _ in range(20)]
            waits += [abort_without_a_job(many, well.name) for _ in range(5)]
            # Nothing is there to be waited for: pings come when it is quiet.
            time.sleep(WATCH_S)
            pings = watch.waits_of_pings()
            assert len(watch.under_way) == 4
            assert not any(call.done() for call in slow)
        assert max(waits) < PROMPT_S
        assert pings
        assert max(pings) < PROMPT_S
        # All are answered once their turn has come.
        assert all(call.result(LIMIT_S)["rd_operations"] >= 0 for call in slow)


def test_many_urgent_calls(
    guests: tuple[EchoGuest, EchoGuest, int], watch: PacketWatch, crowd: Callable[..., Any]
) -> None:
    stuck, well, pid = guests
    with crowd(f"qemu+unix:///system?socket={watch.path}") as many:
        domain = many.ask(lambda conn: conn.get_domain_by_name(stuck.name))
        with stopped(pid):
            slow = start_slow_calls(many, stuck.name)
            watch.wait_for_calls(4)
            # These ask the emulator, and so are stuck as well.
            urgent = [
                many.start(lambda _: domain.get_block_job_info("hda")) for _ in range(SLOW_CALLS)
            ]
            watch.wait_for_calls(5)
            time.sleep(WATCH_S)
            assert watch.most_under_way == 5
            assert not any(call.done() for call in slow + urgent)
        assert all(call.result(LIMIT_S) is None for call in urgent)
        assert all(call.result(LIMIT_S)["rd_operations"] >= 0 for call in slow)
        assert watch.most_under_way == 5
        assert abort_without_a_job(many, well.name) < PROMPT_S


def test_without_a_limit_nothing_gets_through(
    guests: tuple[EchoGuest, EchoGuest, int], watch: PacketWatch, crowd: Callable[..., Any]
) -> None:
    stuck, _, pid = guests
    uri = f"qemu+unix:///system?socket={watch.path}"
    with crowd(uri, keepalive=KEEPALIVE, long_calls=None) as many:
        with stopped(pid):
            slow = start_slow_calls(many, stuck.name)
            watch.wait_for_calls(SLOW_CALLS)
            before = len(watch.pongs)
            with pytest.raises(virtproto.DeadlineError):
                many.ask(lambda conn: conn.call(CONNECT_GET_HOSTNAME, None, timeout_s=IN_VAIN_S))
            time.sleep(WATCH_S)
            assert len(watch.pongs) == before < len(watch.pings)
        # The calls that were too many are answered all the same, and so are the pings.
        assert all(call.result(LIMIT_S)["rd_operations"] >= 0 for call in slow)
        assert many.ask(lambda conn: conn.get_hostname())
