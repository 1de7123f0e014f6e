"""Threads and signals around a blocking connection's streams and events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from virtproto.errors import ConnectionClosedError, ConnectionLostError
from virtproto.model.stream_inbox import CROWDED
from virtproto.protocol.events import CallReceived
from virtproto.protocol.framing import pack_packet
from virtproto.testing import (
    CloseConnection,
    NoReply,
    OpenStream,
    ScriptedServer,
    SendEvent,
    SendRaw,
    SendStreamData,
    SendStreamEnd,
)
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.remote import connect_event as calls
from virtproto.wire.remote.connect import (
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_LIB_VERSION,
    ConnectGetHostnameRet,
    ConnectGetLibVersionRet,
)

DOWNLOAD = remote.STORAGE_VOL_DOWNLOAD
REMOTE = 0x20008086


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    answer = calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=0)
    handlers: dict[Any, Any] = {
        CONNECT_GET_LIB_VERSION: version,
        DOWNLOAD: [OpenStream(), b""],
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: answer,
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: b"",
    }
    with ScriptedServer(handlers) as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def connection(server: ScriptedServer, tmp_path: Path) -> Iterator[virtproto.Connection]:
    with virtproto.open(f"test:///default?socket={tmp_path / 's'}") as opened:
        yield opened


def download(connection: virtproto.Connection) -> Any:
    stream = connection.new_stream()
    connection._exchange_with_stream(DOWNLOAD, bytes(4), stream)
    return stream


def send_data(server: ScriptedServer, data: bytes) -> None:
    call = next(call for call in server.calls if call.procedure == DOWNLOAD.number)
    packet = pack_packet(REMOTE, 1, DOWNLOAD.number, 3, call.serial, 2, data)
    server.send(SendRaw(packet))


def lifecycle(event: int) -> SendEvent:
    dom = remote.NonnullDomain(name="d", uuid=bytes(16), id=1)
    inner = remote.DomainEventLifecycleMsg(dom=dom, event=event, detail=0)
    message = remote.DomainEventCallbackLifecycleMsg(callbackID=0, msg=inner)
    return SendEvent(REMOTE, remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number, message)


def in_thread(work: Any) -> tuple[threading.Thread, list[Any]]:
    """Start ``work`` on a thread; return the thread, and a list for its result or exception."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def waits_on(connection: virtproto.Connection) -> None:
    """Wait until somebody reads."""
    until(connection, lambda: connection._channel._lead is not None)


def test_a_thread_that_waits_for_data_keeps_nobody_from_calling(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = download(connection)
    thread, results = in_thread(stream.read)
    waits_on(connection)
    for _ in range(200):
        assert connection.get_library_version() == 12008000
    send_data(server, b"one")
    assert connection.get_library_version() == 12008000
    send_data(server, b"")
    thread.join(10)
    assert results == [b"one"]
    stream.finish()


def test_a_call_that_takes_long_hands_data_to_who_waits(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    held = threading.Event()
    server.handle(CONNECT_GET_HOSTNAME, NoReply())
    stream = download(connection)
    reader, results = in_thread(lambda: stream.recv(10))
    waits_on(connection)
    caller, _ = in_thread(connection.get_hostname)
    server.wait_until(lambda seen: seen.calls[-1].procedure == CONNECT_GET_HOSTNAME.number)
    send_data(server, b"meanwhile")
    reader.join(10)
    assert results == [b"meanwhile"]
    name = ConnectGetHostnameRet(hostname="h").pack()
    call = server.calls[-1]
    server.send(SendRaw(pack_packet(REMOTE, 1, call.procedure, 1, call.serial, 0, name)))
    caller.join(10)
    assert not caller.is_alive()
    held.set()
    stream.abort()


def test_many_threads_on_streams_events_and_calls(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    heard: list[int] = []
    connection.domain_event_register_any(None, 0, lambda c, d, event, detail: heard.append(event))

    def data(call: CallReceived) -> Answer:
        many = [SendStreamData(bytes([number]) * 10_000) for number in range(30)]
        return [OpenStream(), b"", *many, SendStreamEnd()]

    server.handle(DOWNLOAD, data)

    def work(number: int) -> int:
        total = 0
        for _ in range(20):
            if number % 2:
                with download(connection) as stream:
                    total += len(stream.read())
            else:
                total += connection.get_library_version() == 12008000
        return total

    threads = [in_thread(lambda number=number: work(number)) for number in range(8)]
    for event in range(100):
        server.send(lifecycle(event))
    for thread, _ in threads:
        thread.join(60)
    assert [results for _, results in threads] == [[20], [20 * 300_000]] * 4
    until(connection, lambda: len(heard) == 100)
    assert heard == list(range(100))


def test_closing_wakes_who_waits(server: ScriptedServer, connection: virtproto.Connection) -> None:
    stream = download(connection)
    thread, results = in_thread(stream.read)
    waits_on(connection)
    connection.close()
    thread.join(10)
    assert [type(each) for each in results] == [ConnectionClosedError]


def test_a_callback_may_call_and_deregister(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []

    def callback(conn: virtproto.Connection, *args: Any) -> None:
        seen.append(conn.get_library_version())
        conn.domain_event_deregister_any(number)
        seen.append(threading.current_thread().name)

    number = connection.domain_event_register_any(None, 0, callback)
    server.send(lifecycle(1), lifecycle(2))
    until(connection, lambda: len(seen) >= 2)
    assert connection.get_library_version() == 12008000
    assert seen == [12008000, "virtproto callbacks"]


def begin_much(
    server: ScriptedServer, connection: virtproto.Connection, size: int
) -> tuple[Any, int, list[int]]:
    """Open a stream of which nobody reads anything; return it, its size, and events heard."""
    heard: list[int] = []
    piece = bytes(262120)
    pieces = size // len(piece)
    many = [SendStreamData(piece) for _ in range(pieces)]
    server.handle(DOWNLOAD, [OpenStream(), b"", *many, SendStreamEnd()])
    connection.domain_event_register_any(None, 0, lambda c, d, event, detail: heard.append(event))
    stream = download(connection)
    until(connection, lambda: stream._end.inbox.crowded)
    server.send(lifecycle(7))
    return stream, pieces * len(piece), heard


def test_the_reader_leaves_the_daemon_what_nobody_reads(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream, size, heard = begin_much(server, connection, 4 * CROWDED)
    time.sleep(0.05)
    # A little is taken in now and then.
    assert stream._end.inbox.size < CROWDED + (1 << 20)
    assert heard == []
    assert len(stream.read()) == size
    until(connection, lambda: heard == [7])
    stream.finish()


@pytest.mark.parametrize("keepalive", [(5.0, 5), None], ids=["keepalive", "without"])
def test_what_is_behind_data_that_nobody_reads_comes_all_the_same(
    server: ScriptedServer, tmp_path: Path, keepalive: tuple[float, int] | None
) -> None:
    uri = f"test:///default?socket={tmp_path / 's'}"
    with virtproto.open(uri, keepalive=keepalive) as connection:
        stream, _, heard = begin_much(server, connection, CROWDED + (1 << 19))
        until(connection, lambda: heard == [7])
        assert stream._end.inbox.crowded
        stream.abort()


def test_an_interrupted_reader_goes_on(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def kill_the_reader() -> None:
        until(None, lambda: connection._channel._lead is not None)
        os.kill(os.getpid(), signal.SIGUSR1)

    def start_and_receive(thread: threading.Thread) -> None:
        thread.start()
        stream.recv(10)

    # Else the thread that answers pings may be the one that reads.
    connection.set_keep_alive(0, 0)
    stream = download(connection)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for _ in range(20):
            thread = threading.Thread(target=kill_the_reader)
            with pytest.raises(Interrupted):
                start_and_receive(thread)
            thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert connection._channel._lead is None
    assert connection._channel._followers == []
    send_data(server, b"still")
    assert stream.recv(10) == b"still"
    stream.abort()
    assert connection.get_library_version() == 12008000


def test_data_torn_by_a_signal_fails_the_stream_and_not_the_connection(
    server: ScriptedServer, connection: virtproto.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else the thread that answers pings may be the one that is torn.
    connection.set_keep_alive(0, 0)
    stream = download(connection)
    send_data(server, b"lost")

    def torn(event: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream._end, "deliver", torn)
    with pytest.raises(KeyboardInterrupt):
        stream.recv(10)
    monkeypatch.undo()
    with pytest.raises(ConnectionLostError, match="some may be lost"):
        stream.recv(10)
    assert connection.get_library_version() == 12008000


def test_the_interpreters_end_waits_for_nothing(server: ScriptedServer, tmp_path: Path) -> None:
    program = (
        "import virtproto\n"
        f"c = virtproto.open('test:///default?socket={tmp_path / 's'}')\n"
        "c.domain_event_register_any(None, 0, print)\n"
        "s = c.new_stream()\n"
        f"from virtproto.wire.remote import STORAGE_VOL_DOWNLOAD as d\n"
        "c._exchange_with_stream(d, bytes(4), s)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_connection_forgotten_with_its_callbacks_is_closed(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def forget() -> None:
        opened = virtproto.open(f"test:///default?socket={tmp_path / 's'}")
        opened.domain_event_register_any(None, 0, print)

    with pytest.warns(ResourceWarning, match="was never closed"):
        forget()
    server.wait_until(lambda seen: seen.connections_ended == 1)
    until(None, lambda: not [t for t in threading.enumerate() if t.name.startswith("virtproto")])


def test_a_forked_child_leaves_streams_and_events_to_its_parent(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    heard: list[int] = []
    connection.domain_event_register_any(None, 0, lambda c, d, event, detail: heard.append(event))
    stream = download(connection)
    child = os.fork()
    if not child:
        status = 1
        try:
            stream.recv(1)
        except ConnectionClosedError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    send_data(server, b"parent's")
    assert stream.recv(10) == b"parent's"
    server.send(lifecycle(3))
    until(connection, lambda: heard == [3])
    stream.abort()


def test_sending_fails_as_the_stream_does_before_it_was_told(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    stream = download(connection)
    end = stream._end
    lose = end.lose
    sending: list[tuple[threading.Thread, list[Any]]] = []

    def lose_late(*args: Any) -> None:
        # The connection has ended, and its streams are just being told.
        sending.append(in_thread(lambda: stream.send(b"x")))
        sending[0][0].join(0.2)
        lose(*args)

    end.lose = lose_late
    server.send(CloseConnection())
    until(None, lambda: not connection.is_alive() and sending)
    thread, results = sending[0]
    thread.join(10)
    assert isinstance(results[0], ConnectionLostError)
    assert "STORAGE_VOL_DOWNLOAD" in str(results[0])
