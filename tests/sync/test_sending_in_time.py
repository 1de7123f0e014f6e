"""Blocking sends while the daemon takes nothing: deadlines and keepalive hold."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.streaming import UPLOAD, opened, sent_to
from virtproto.errors import ConnectionLostError, DeadlineError
from virtproto.protocol.events import StreamAbortAsked
from virtproto.sync import traffic
from virtproto.testing import ScriptedServer
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION, ConnectGetLibVersionRet

MUCH = bytes(16 << 20)


class Interrupted(BaseException):
    """What a signal raises."""


def interrupt(number: int, frame: object) -> None:
    raise Interrupted


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    version = ConnectGetLibVersionRet(lib_ver=12008000)
    with ScriptedServer({CONNECT_GET_LIB_VERSION: version}) as running:
        running.listen(tmp_path / "s")
        yield running


@pytest.fixture
def connection(server: ScriptedServer, tmp_path: Path) -> Iterator[virtproto.Connection]:
    with virtproto.open(f"test:///default?socket={tmp_path / 's'}") as ready:
        yield ready


@pytest.fixture
def hang(server: ScriptedServer) -> Iterator[Callable[[], threading.Event]]:
    """What has the daemon do nothing at all until the event is set that it returns."""
    held = threading.Event()

    def wait() -> None:
        held.wait(20)

    def hang() -> threading.Event:
        server._do(wait)
        return held

    yield hang
    held.set()


def test_a_send_meets_its_deadline_and_drops_the_stream(
    server: ScriptedServer,
    connection: virtproto.Connection,
    hang: Callable[[], threading.Event],
) -> None:
    connection.call_timeout_s = 0.2
    stream = opened(server, connection, procedure=UPLOAD)
    go_on = hang()
    with pytest.raises(DeadlineError, match=UPLOAD.name):
        stream.send(MUCH)
    assert not stream.is_open
    with pytest.raises(DeadlineError):
        stream.send(b"more")
    with pytest.raises(DeadlineError):
        connection.get_library_version()
    go_on.set()
    connection.call_timeout_s = 10.0
    assert connection.get_library_version() == 12008000
    server.wait_until(lambda seen: isinstance(seen.events[-1], StreamAbortAsked))
    assert 0 < len(sent_to(server)) < len(MUCH)
    stream.abort()
    with opened(server, connection, procedure=UPLOAD) as another:
        another.send(b"as usual")


def test_the_end_of_a_block_waits_for_no_deaf_daemon(
    server: ScriptedServer,
    connection: virtproto.Connection,
    hang: Callable[[], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("virtproto.sync.stream.CLOSE_TIMEOUT_S", 0.05)
    stream = opened(server, connection, procedure=UPLOAD)
    go_on = hang()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Interrupted), stream:
            stream.send(MUCH)
    finally:
        signal.signal(signal.SIGALRM, before)
    go_on.set()
    assert connection.get_library_version() == 12008000


@pytest.mark.parametrize("what", ["stream", "call"])
def test_keepalive_gives_up_a_daemon_that_takes_nothing(
    server: ScriptedServer,
    connection: virtproto.Connection,
    hang: Callable[[], threading.Event],
    what: str,
) -> None:
    stream = opened(server, connection, procedure=UPLOAD)
    connection.set_keep_alive(0.1, 1)
    hang()
    large = "<domain>" + "x" * 3_000_000
    with pytest.raises(ConnectionLostError):
        stream.send(MUCH) if what == "stream" else connection.define_domain(large)
    assert not stream.is_open
