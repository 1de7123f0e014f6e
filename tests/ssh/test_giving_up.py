"""Roads by SSH that are given up, torn or forgotten: nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import virtproto
from tests.colours.driving import FORGETTERS
from tests.lab.daemon import PrivateDaemon
from tests.lab.leftovers import nothing_left
from tests.lab.sshd import SshHost
from virtproto import aio
from virtproto.errors import DeadlineError

pytestmark = pytest.mark.lab

URI = "test:///default"


@pytest.fixture(scope="module")
def host(libvirtd: PrivateDaemon) -> Iterator[SshHost]:
    with SshHost(libvirtd) as made:
        yield made


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """A server that takes connections and says nothing; the event is when one has come."""
    came = threading.Event()

    def accept() -> None:
        with contextlib.suppress(OSError):
            taken.append(server.accept()[0])
            came.set()

    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield f"test+libssh://127.0.0.1:{port}/default?known_hosts_verify=ignore", came
        finally:
            thread.join()
            for sock in taken:
                sock.close()


def test_an_interrupt_while_the_server_is_waited_for(host: SshHost) -> None:
    def be_interrupted() -> None:
        def interrupt() -> None:
            came.wait()
            os.kill(os.getpid(), signal.SIGINT)

        with silent_server() as (uri, came):
            killer = threading.Thread(target=interrupt)
            killer.start()
            with pytest.raises(KeyboardInterrupt):
                virtproto.open(uri, timeout_s=30.0)
            killer.join()

    # A road of somebody else's keeps the thread: only what was given up has to end.
    with virtproto.open(host.uri(URI, "libssh")) as other:
        with nothing_left():
            be_interrupted()
        assert other.list_all_domains()


# Torn between two lines, a socket is closed as it is dropped, with a warning.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("after_s", [0.001, 0.01, 0.05, 0.1, 0.2])
def test_an_interrupt_at_any_moment_of_opening(host: SshHost, after_s: float) -> None:
    def interrupt() -> None:
        time.sleep(after_s)
        os.kill(os.getpid(), signal.SIGINT)

    uri = host.uri(URI, "libssh")
    with nothing_left():
        killer = threading.Thread(target=interrupt)
        try:
            killer.start()
            virtproto.open(uri).close()
            killer.join()
        except KeyboardInterrupt:
            killer.join()


def test_a_task_that_is_cancelled_while_the_server_is_waited_for() -> None:
    async def main(uri: str, came: threading.Event) -> None:
        task = asyncio.create_task(aio.open(uri, timeout_s=30.0))
        await asyncio.to_thread(came.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with nothing_left(), silent_server() as (uri, came):
        asyncio.run(main(uri, came), debug=True)


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.1, 0.2])
def test_a_task_that_is_cancelled_at_any_moment_of_opening(host: SshHost, after_s: float) -> None:
    async def main() -> None:
        task = asyncio.create_task(aio.open(host.uri(URI, "libssh")))
        await asyncio.sleep(after_s)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await task).close()

    with nothing_left():
        asyncio.run(main(), debug=True)


def test_a_limit_of_a_block_holds_on_the_way() -> None:
    def open_within(uri: str) -> None:
        with virtproto.deadline(0.3), pytest.raises(DeadlineError):
            virtproto.open(uri, timeout_s=30.0)

    with nothing_left(), silent_server() as (uri, _):
        open_within(uri)


@pytest.mark.parametrize("transport", ["ssh", "libssh"])
@pytest.mark.parametrize("colour", list(FORGETTERS))
def test_a_forgotten_connection_is_ended(host: SshHost, transport: str, colour: str) -> None:
    def collect() -> None:
        gc.collect()

    with (
        nothing_left(),
        pytest.warns(ResourceWarning, match="was not closed|never closed|unclosed"),
    ):
        FORGETTERS[colour](host.uri(URI, transport), collect)


def test_many_roads_at_once(host: SshHost) -> None:
    def ask(failures: list[Any]) -> None:
        try:
            with virtproto.open(host.uri(URI, "libssh")) as connection:
                for _ in range(20):
                    assert connection.get_hostname()
        except BaseException as error:
            failures.append(error)

    def run(work: Callable[[list[Any]], None]) -> list[Any]:
        failures: list[Any] = []
        threads = [threading.Thread(target=work, args=(failures,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return failures

    with nothing_left():
        assert run(ask) == []
