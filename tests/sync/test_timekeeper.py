"""The thread that keeps blocking connections alive: when it is there, and what it does."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import until
from tests.interrupting import interruption
from virtproto import deadline
from virtproto.errors import ConnectionClosedError, ConnectionLostError, VirtprotoError
from virtproto.protocol.events import CallReceived
from virtproto.sync import timekeeper
from virtproto.sync.channel import Channel
from virtproto.testing import CloseConnection, NoReply, ScriptedServer, SendPing
from virtproto.wire import keepalive
from virtproto.wire.remote.connect import (
    CONNECT_CLOSE,
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetHostnameRet,
    ConnectGetLibVersionRet,
)

PROMPT_S = 5.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    with ScriptedServer({CONNECT_GET_LIB_VERSION: version}) as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


class Keeping:
    """What the thread looks after beyond what it did before the test, and whether there is one."""

    def __init__(self) -> None:
        gc.collect()
        self._before = set(timekeeper._kept.channels)

    def is_of(self, count: int) -> bool:
        """Whether so many connections are looked after, and a thread is there if it has to be."""
        kept = set(timekeeper._kept.channels)
        threads = sum(each.name == "virtproto timekeeper" for each in threading.enumerate())
        return len(kept - self._before) == count and threads == bool(kept)


@pytest.fixture
def keeping() -> Keeping:
    return Keeping()


def packets(server: ScriptedServer, procedure: int) -> int:
    return sum(
        packet.program == keepalive.PROGRAM and packet.procedure == procedure
        for packet in server.packets
    )


def test_one_thread_for_all_connections_and_none_without(
    server: ScriptedServer, uri: str, keeping: Keeping
) -> None:
    until(None, lambda: keeping.is_of(0))
    with virtproto.open(uri, keepalive=None) as plain:
        assert keeping.is_of(0)
        with virtproto.open(uri), virtproto.open(uri):
            assert keeping.is_of(2)
            plain.set_keep_alive(5, 5)
            assert keeping.is_of(3)
        assert keeping.is_of(1)
        plain.set_keep_alive(0, 0)
        until(None, lambda: keeping.is_of(0))
        plain.set_keep_alive(5, 5)
        assert keeping.is_of(1)
    until(None, lambda: keeping.is_of(0))


def test_the_daemons_questions_are_answered_while_nobody_calls(
    server: ScriptedServer, uri: str
) -> None:
    with virtproto.open(uri):
        server.send(SendPing(), SendPing())
        until(None, lambda: packets(server, keepalive.PONG) == 2)


def test_an_end_is_noticed_while_nobody_calls(server: ScriptedServer, uri: str) -> None:
    with virtproto.open(uri) as connection:
        server.send(CloseConnection())
        until(None, lambda: not connection.is_alive())
        with pytest.raises(ConnectionClosedError, match="the daemon closed it"):
            connection.get_library_version()


def test_who_waits_for_a_silent_daemon_hears_of_its_end_in_time(
    server: ScriptedServer, uri: str
) -> None:
    held = threading.Event()

    def hang() -> None:
        held.wait(20)

    with virtproto.open(uri, keepalive=(0.2, 4)) as connection:
        server._do(hang)
        start = time.monotonic()
        with pytest.raises(ConnectionLostError, match="4 pings unanswered") as caught:
            connection.get_hostname()
        # interval * (count + 1)
        assert 0.9 < time.monotonic() - start < PROMPT_S
        assert caught.value.may_have_run
        held.set()


def test_a_connection_that_answers_is_not_asked(server: ScriptedServer, uri: str) -> None:
    with virtproto.open(uri, keepalive=(0.5, 1)) as connection:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert connection.get_library_version() == 12008000
    assert packets(server, keepalive.PING) == 0


def test_a_connection_that_is_forgotten_is_closed(
    server: ScriptedServer, uri: str, keeping: Keeping
) -> None:
    def forget() -> None:
        virtproto.open(uri)
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed"):
        forget()
    server.wait_until(lambda seen: seen.connections_ended == 1)
    until(None, lambda: keeping.is_of(0))


def test_closing_fails_all_that_is_under_way(server: ScriptedServer, uri: str) -> None:
    server.handle(CONNECT_GET_HOSTNAME, NoReply())
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            connection.get_hostname()
        except VirtprotoError as error:
            errors.append(error)

    connection = virtproto.open(uri, long_calls=3)
    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    channel = connection._channel
    until(None, lambda: len(channel._waiting) == 12)
    start = time.monotonic()
    connection.close()
    for thread in threads:
        thread.join(PROMPT_S)
    assert time.monotonic() - start < PROMPT_S
    assert [type(error) for error in errors] == [ConnectionClosedError] * 12
    ran = sum(error.may_have_run for error in errors if isinstance(error, ConnectionClosedError))
    sent = sum(call.procedure == CONNECT_GET_HOSTNAME.number for call in server.calls)
    assert ran >= sent


def test_a_connection_that_is_being_closed_is_left_alone(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    look_after = timekeeper._look_after

    def count(channel: Channel) -> float | None:
        nonlocal looked
        looked += 1
        return look_after(channel)

    server.handle(CONNECT_CLOSE, NoReply())
    connection = virtproto.open(uri, keepalive=(0.01, 10000))
    monkeypatch.setattr(timekeeper, "_look_after", count)
    with deadline(0.5):
        connection.close()
    assert looked < 50


def test_a_call_that_was_held_back_goes_when_another_is_answered(
    server: ScriptedServer, uri: str
) -> None:
    held: list[CallReceived] = []
    names: list[str] = []
    go_on = threading.Event()

    def answer(call: CallReceived) -> bytes:
        held.append(call)
        go_on.wait(10)
        return ConnectGetHostnameRet(hostname=f"host {call.serial}").pack()

    server.handle(CONNECT_GET_HOSTNAME, answer)
    with virtproto.open(uri, long_calls=1) as connection:
        threads = [
            threading.Thread(target=lambda: names.append(connection.get_hostname()))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        until(None, lambda: len(connection._channel._waiting) == 6)
        go_on.set()
        for thread in threads:
            thread.join(PROMPT_S)
        assert len({*names}) == 6


def test_a_forked_process_has_a_thread_of_its_own(server: ScriptedServer, uri: str) -> None:
    with virtproto.open(uri) as connection, warnings.catch_warnings():
        # Of threads in the parent, from Python 3.12 on.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if not child:
            status = 1
            try:
                with virtproto.open(uri, keepalive=(0.05, 1000)) as own:
                    assert own.get_library_version() == 12008000
                    time.sleep(0.3)
                    assert own.is_alive()
                try:
                    connection.get_library_version()
                except ConnectionClosedError:
                    status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert packets(server, keepalive.PING) > 0
        assert connection.get_library_version() == 12008000


@pytest.mark.parametrize("named", [True, False], ids=["threading", "without"])
def test_the_interpreters_end_is_quiet_and_quick(
    server: ScriptedServer, uri: str, named: bool
) -> None:
    program = (
        f"{'import threading' if named else 'import sys'}\n"
        "import virtproto\n"
        f"kept = [virtproto.open({uri!r}, keepalive=(0.001, 10000)) for _ in range(5)]\n"
        "for each in kept: assert each.get_library_version() == 12008000\n"
        + ("" if named else "assert 'threading' not in sys.modules\n")
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - start < PROMPT_S


def test_an_interrupt_while_others_wait_costs_them_nothing(
    server: ScriptedServer, uri: str
) -> None:
    answers: list[str] = []
    go_on = threading.Event()

    def answer(call: CallReceived) -> bytes:
        go_on.wait(10)
        return ConnectGetHostnameRet(hostname="h").pack()

    server.handle(CONNECT_GET_HOSTNAME, answer)
    with virtproto.open(uri) as connection, interruption() as one:
        before = len(server.calls)

        def interrupt() -> None:
            server.wait_until(lambda seen: len(seen.calls) > before)
            until(None, lambda: len(connection._channel._waiting) == 4)
            one.send()

        threads = [
            threading.Thread(target=lambda: answers.append(connection.get_hostname()))
            for _ in range(3)
        ]
        threads.append(threading.Thread(target=interrupt))
        for thread in threads:
            thread.start()
        with pytest.raises(KeyboardInterrupt):
            connection.get_hostname()
        go_on.set()
        for thread in threads:
            thread.join(PROMPT_S)
        assert answers == ["h"] * 3
        assert connection.get_library_version() == 12008000
