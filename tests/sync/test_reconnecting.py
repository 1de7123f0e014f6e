"""Opening anew with threads: many that wait, interrupts, forks, and ways to leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import virtproto
from tests.lab.leftovers import nothing_left
from virtproto import Reconnect
from virtproto.errors import ConnectionLostError
from virtproto.sync.channel import Channel
from virtproto.sync.reconnecting import Line
from virtproto.testing import CloseConnection, NoReply, ScriptedServer
from virtproto.wire import remote

REPOSITORY = Path(__file__).parents[2]
FAST = Reconnect(0.005, 0.05, jitter=0.0)
HOSTNAME = remote.ConnectGetHostnameRet(hostname="h")
CAPABILITIES = remote.ConnectGetCapabilitiesRet(capabilities="<c/>")
_PATIENCE_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


@pytest.fixture
def uri(path: str) -> str:
    return f"test:///default?socket={path}"


@pytest.fixture
def server(path: str) -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.handle(remote.CONNECT_GET_HOSTNAME, HOSTNAME)
        running.listen(path)
        yield running
        if os.path.exists(path + ".away"):
            come_back(path)


def leave(server: ScriptedServer, path: str) -> None:
    """Have no daemon there any more."""
    os.rename(path, path + ".away")
    server.send(CloseConnection())


def come_back(path: str) -> None:
    os.rename(path + ".away", path)


def times(server: ScriptedServer, procedure: int) -> int:
    return [call.procedure for call in server.calls].count(procedure)


def until_lost(connection: virtproto.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while connection.state == "open":
        assert time.monotonic() < deadline, "nobody noticed"
        time.sleep(0.002)


def test_the_calls_of_many_threads_wait_and_are_made_once(
    server: ScriptedServer, path: str, uri: str
) -> None:
    answers: list[str] = []

    def ask(connection: virtproto.Connection) -> None:
        answers.append(connection.get_hostname())

    with nothing_left():
        connection = virtproto.open(uri, reconnect=FAST)
        leave(server, path)
        until_lost(connection)
        threads = [threading.Thread(target=ask, args=(connection,)) for _ in range(30)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        assert not answers
        come_back(path)
        for thread in threads:
            thread.join(_PATIENCE_S)
        assert answers == ["h"] * 30
        connection.close()
        del connection
    assert times(server, remote.CONNECT_GET_HOSTNAME.number) == 30


def test_calls_that_were_held_back_go_to_the_next_channel(server: ScriptedServer, uri: str) -> None:
    server.handle(remote.CONNECT_GET_CAPABILITIES, NoReply())
    number = remote.CONNECT_GET_CAPABILITIES.number
    results: list[object] = []

    def ask() -> None:
        try:
            results.append(connection.get_capabilities())
        except ConnectionLostError as error:
            results.append(error.may_have_run)

    with virtproto.open(uri, reconnect=FAST, long_calls=1) as connection:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        server.wait_until(lambda seen: times(seen, number) == 1)
        time.sleep(0.05)
        server.handle(remote.CONNECT_GET_CAPABILITIES, CAPABILITIES)
        server.send(CloseConnection())
        for thread in threads:
            thread.join(_PATIENCE_S)
    # One was with the daemon and may have run; the others had not left.
    assert sorted(map(str, results)) == ["<c/>", "<c/>", "True"]
    assert times(server, number) == 3


class Interrupt(BaseException):
    """What a signal handler raises."""


def test_a_signal_ends_the_wait_and_the_connection_goes_on(
    server: ScriptedServer, path: str, uri: str
) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with virtproto.open(uri, reconnect=FAST) as connection:
            leave(server, path)
            until_lost(connection)
            for _ in range(5):
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                with pytest.raises(Interrupt):
                    connection.get_hostname()
            come_back(path)
            assert connection.get_hostname() == "h"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_forgotten_connection_is_not_opened_anew(
    server: ScriptedServer, path: str, uri: str
) -> None:
    with nothing_left():
        connection = virtproto.open(uri, reconnect=FAST)
        leave(server, path)
        until_lost(connection)
        # It has failed at least once by now, and what it failed with keeps nothing.
        with pytest.raises(virtproto.DeadlineError):
            connection.call(remote.CONNECT_GET_HOSTNAME, None, timeout_s=0.1)
        with pytest.warns(ResourceWarning, match="was never closed"):
            del connection
    assert times(server, remote.CONNECT_OPEN.number) == 1


def ask_in_vain(connection: virtproto.Connection, said: list[str]) -> None:
    """Make a call that ends because the connection is closed, and note in which words."""
    try:
        connection.get_hostname()
    except virtproto.ConnectionClosedError as error:
        said.append(str(error))


def test_closing_wakes_those_who_wait(server: ScriptedServer, path: str, uri: str) -> None:
    said: list[str] = []
    with nothing_left():
        connection = virtproto.open(uri, reconnect=FAST)
        leave(server, path)
        until_lost(connection)
        thread = threading.Thread(target=ask_in_vain, args=(connection, said))
        thread.start()
        time.sleep(0.02)
        connection.close()
        thread.join(_PATIENCE_S)
        del connection
    assert said == ["no call can be made on this connection: it was closed"]


def test_closing_just_as_the_connection_is_back_wakes_those_who_wait(
    server: ScriptedServer, path: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, go_on = threading.Event(), threading.Event()
    take = Line._take

    def take_slowly(line: Line, connection: virtproto.Connection, channel: Channel) -> None:
        take(line, connection, channel)
        taken.set()
        go_on.wait(_PATIENCE_S)

    said: list[str] = []

    with nothing_left():
        connection = virtproto.open(uri, reconnect=FAST)
        monkeypatch.setattr(Line, "_take", take_slowly)
        leave(server, path)
        until_lost(connection)
        threads = [
            threading.Thread(target=ask_in_vain, args=(connection, said), daemon=True)
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        line: Any = connection._line
        outage = line._outage
        time.sleep(0.02)
        come_back(path)
        assert taken.wait(_PATIENCE_S)
        connection.close()
        go_on.set()
        for thread in threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive()
        assert outage.over.is_open
        del connection, line, outage, threads
    assert said == ["no call can be made on this connection: it was closed"] * 3


def run(program: str, uri: str, path: str) -> list[str]:
    """Run a program with a lost connection, and return what it says."""
    head = f"""
import os, time, virtproto
connection = virtproto.open({uri!r}, reconnect=virtproto.Reconnect(0.01, 0.02))
os.rename({path!r}, {path + ".away"!r})
print("open", flush=True)
while connection.state == "open":
    time.sleep(0.002)
"""
    # Newer releases of Python warn of threads, which a forked process here does nothing with.
    ignored = ("-W", "ignore::ResourceWarning", "-W", "ignore:This process")
    with subprocess.Popen(
        [sys.executable, "-X", "dev", *ignored, "-c", head + program],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said, complained = process.communicate(timeout=60)
        assert complained == ""
        assert process.returncode == 0
        return said.split()


def lose_when_open(server: ScriptedServer, path: str) -> threading.Thread:
    """Have the daemon close its connection once the program has moved the socket away."""

    def lose() -> None:
        while not os.path.exists(path + ".away"):
            time.sleep(0.002)
        server.send(CloseConnection())

    thread = threading.Thread(target=lose)
    thread.start()
    return thread


def test_the_interpreter_ends_quietly_and_at_once(
    server: ScriptedServer, path: str, uri: str
) -> None:
    # Several times, as it ends in the moment in which the loss is noticed.
    for _ in range(3):
        thread = lose_when_open(server, path)
        program = "print(connection.state)\nprint(time.time(), flush=True)"
        said = run(program, uri, path)
        thread.join()
        assert said[:2] == ["open", "reconnecting"]
        assert time.time() - float(said[2]) < 5
        come_back(path)


def test_a_forked_process_does_not_wait_for_the_parents(
    server: ScriptedServer, path: str, uri: str
) -> None:
    thread = lose_when_open(server, path)
    program = f"""
import sys
child = os.fork()
if child:
    os.waitpid(child, 0)
    os.rename({path + ".away"!r}, {path!r})
    print(connection.get_hostname())
    connection.close()
else:
    try:
        connection.get_hostname()
    except virtproto.ConnectionClosedError as error:
        print("parent" in str(error), connection.state, flush=True)
    connection.close()
    os._exit(0)
"""
    said = run(program, uri, path)
    thread.join()
    assert said == ["open", "True", "closed", "h"]
