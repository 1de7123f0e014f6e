"""What a user meets when something is wrong with the daemon or on the way to it.

Each of these is a clear error of the project's own, soon, and no process hangs. The bounds on time
are generous: they tell a hang from an answer, not fast from slow.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.place import repository
from virtproto import aio
from virtproto.wire import remote

pytestmark = pytest.mark.lab

URI = "test:///default"
SOON_S = 5.0


@pytest.fixture
def doomed() -> Iterator[PrivateDaemon]:
    """A daemon of the test's own, to be broken."""
    with private_daemon("9.0.0") as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 6 * SOON_S


def test_missing_socket(tmp_path: Path, open_in_colour: Open) -> None:
    path = tmp_path / "no-such.sock"
    with (
        pytest.raises(virtproto.SocketMissingError, match=r"no-such\.sock"),
        open_in_colour(f"test+unix:///default?socket={path}"),
    ):
        pytest.fail("it opened")


def test_socket_of_a_dead_daemon(doomed: PrivateDaemon, open_in_colour: Open) -> None:
    doomed.kill()
    assert os.path.exists(doomed.socket_path)
    with (
        pytest.raises(virtproto.SocketRefusedError, match="libvirt-sock"),
        open_in_colour(doomed.uri(URI)),
    ):
        pytest.fail("it opened")


_AS_NOBODY = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
import virtproto
from virtproto import aio

async def open_aio(uri):
    return await aio.open(uri)

openers = [virtproto.open, lambda uri: asyncio.run(open_aio(uri))]
for opener in openers:  # loads every module while this process may still read them
    try:
        opener("test+unix:///default?socket=/nonexistent")
    except virtproto.SocketMissingError:
        pass
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for opener in openers:
    try:
        opener(sys.argv[2])
    except virtproto.VirtprotoError as error:
        print(type(error).__name__, error)
"""


def test_socket_that_this_user_may_not_open() -> None:
    with private_daemon("9.0.0", unix_sock_rw_perms="0700") as daemon:
        said = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(repository), daemon.uri(URI)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = said.stdout.splitlines()
        assert len(lines) == 2
        for line in lines:
            assert line.startswith("SocketPermissionError ")
            assert daemon.socket_path in line


def test_daemon_killed_between_calls(doomed: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(doomed.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        doomed.kill()
        with pytest.raises(virtproto.ConnectionLostError):
            domain.get_info()
        assert not connection.is_alive()
        with pytest.raises(virtproto.ConnectionClosedError):
            domain.get_info()


def test_daemon_killed_in_the_middle_of_a_call_blocking(doomed: PrivateDaemon) -> None:
    with virtproto.open(doomed.uri(URI)) as connection:
        domain = connection.get_domain_by_name("test")
        # Frozen, the daemon takes the call in and does not answer: the client is waiting for sure.
        doomed.freeze()
        killer = threading.Timer(0.2, doomed.kill)
        killer.start()
        with pytest.raises(virtproto.ConnectionLostError, match="DOMAIN_GET_INFO"):
            domain.get_info()
        killer.join()


def test_daemon_killed_in_the_middle_of_many_calls_asyncio(doomed: PrivateDaemon) -> None:
    async def main() -> None:
        async with await aio.open(doomed.uri(URI)) as connection:
            domain = await connection.get_domain_by_name("test")
            doomed.freeze()
            calls = [asyncio.create_task(domain.get_info()) for _ in range(10)]
            await asyncio.sleep(0)
            await asyncio.to_thread(doomed.kill)
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {virtproto.ConnectionLostError}
            with pytest.raises(virtproto.ConnectionClosedError):
                await domain.get_info()

    asyncio.run(main())


def test_daemon_that_does_not_answer(doomed: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(doomed.uri(URI)) as connection:
        doomed.freeze()
        with pytest.raises(virtproto.DeadlineError, match="NODE_GET_INFO"):
            connection.call(remote.NODE_GET_INFO, None, timeout_s=0.1)
        doomed.thaw()
        # The late answer is dropped, and the connection is as good as before.
        assert connection.get_hostname()
        assert connection.is_alive()


def test_opening_has_a_deadline(doomed: PrivateDaemon, open_in_colour: Open) -> None:
    doomed.freeze()
    with (
        pytest.raises(virtproto.DeadlineError),
        open_in_colour(doomed.uri(URI), timeout_s=0.1),
    ):
        pytest.fail("it opened")


def test_driver_that_the_daemon_lacks(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with (
        pytest.raises(virtproto.LibvirtError, match="nosuch") as caught,
        open_in_colour(libvirtd.uri("nosuch:///system")),
    ):
        pytest.fail("it opened")
    assert caught.value.procedure == "CONNECT_OPEN"


def test_value_that_cannot_be_sent(libvirtd: PrivateDaemon, open_in_colour: Open) -> None:
    with open_in_colour(libvirtd.uri(URI)) as connection:
        with pytest.raises(ValueError, match="name"):
            connection.get_domain_by_name("te\0st")
        with pytest.raises(virtproto.EncodeError):
            connection.call(
                remote.CONNECT_LIST_ALL_DOMAINS,
                remote.ConnectListAllDomainsArgs(need_results=1, flags=2**32),
            )
        assert len(connection.list_all_domains()) == 1
