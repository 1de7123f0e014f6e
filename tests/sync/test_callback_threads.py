"""The threads behind callbacks: one after another, without descriptors, and forgotten."""

from __future__ import annotations

import gc
import os
import resource
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.streaming import END, opened
from tests.colours.test_events import LIFECYCLE, Registrar, lifecycle, noting
from virtproto.errors import TransportError
from virtproto.sync.delivery import _Threads
from virtproto.sync.stream import Stream
from virtproto.sync.waiting import Waker
from virtproto.testing import ScriptedServer
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION, ConnectGetLibVersionRet


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
def uri(tmp_path: Path) -> str:
    return f"test:///default?socket={tmp_path / 's'}"


@contextmanager
def no_free_descriptors() -> Iterator[None]:
    """A time in which this process can open nothing more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def threads() -> list[str]:
    names = [each.name for each in threading.enumerate() if each.name.startswith("virtproto")]
    return [name for name in names if name != "virtproto timekeeper"]


def test_callbacks_never_overlap(server: ScriptedServer, registrar: Registrar, uri: str) -> None:
    steps: list[str] = []
    go_on = threading.Event()

    def first(connection: virtproto.Connection, *args: Any) -> None:
        # The last one leaves, and its threads with it; others come.
        connection.domain_event_deregister_any(number)
        connection.domain_event_register_any(None, LIFECYCLE, second)
        steps.append("first begins")
        go_on.wait(10)
        steps.append("first ends")

    def second(*args: Any) -> None:
        steps.append("second")

    with virtproto.open(uri) as connection:
        number = connection.domain_event_register_any(None, LIFECYCLE, first)
        server.send(lifecycle(0, 1))
        until(None, lambda: steps)
        server.send(lifecycle(1, 1))
        posts = connection._alive().delivery._threads
        assert posts is not None
        until(None, lambda: posts.posts.qsize() == 1 or len(steps) > 1)
        go_on.set()
        until(None, lambda: len(steps) == 3)
    assert steps == ["first begins", "first ends", "second"]


class Stop(BaseException):
    """What a signal handler raises."""


def tear_next(monkeypatch: pytest.MonkeyPatch, of: Any, name: str, *, before: bool) -> None:
    """Have a signal come before or behind the next call that this thread makes of a method."""
    method = getattr(of, name)
    main = threading.get_ident()

    def torn(*args: Any) -> None:
        mine = threading.get_ident() == main
        if mine:
            monkeypatch.undo()
        if not mine or not before:
            method(*args)
        if mine:
            raise Stop

    monkeypatch.setattr(of, name, torn)


@pytest.mark.parametrize("where", ["stop", "wake", "put"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_a_signal_while_the_last_callback_leaves_costs_the_next_one_nothing(
    server: ScriptedServer,
    registrar: Registrar,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    before: bool,
) -> None:
    seen: list[Any] = []
    with virtproto.open(uri) as connection:
        number = connection.domain_event_register_any(None, LIFECYCLE, print)
        kept = connection._alive().delivery._threads
        assert kept is not None
        if where == "put":
            posts = SimpleNamespace(get=kept.posts.get, put=kept.posts.put)
            monkeypatch.setattr(kept, "posts", posts)
            tear_next(monkeypatch, posts, "put", before=before)
        else:
            of = _Threads if where == "stop" else Waker
            tear_next(monkeypatch, of, where, before=before)
        with pytest.raises(Stop):
            connection.domain_event_deregister_any(number)
        connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
        (callback_id,) = registrar.kept
        for count in (1, 2):
            server.send(lifecycle(callback_id, count))
            until(None, lambda: len(seen) == count)  # noqa: B023 - called at once
        # The threads of before have ended.
        until(None, lambda: sorted(threads()) == ["virtproto callbacks", "virtproto reader"])
    until(None, lambda: threads() == [])


def test_no_callback_is_called_once_one_has_closed_the_connection(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    seen: list[int] = []

    def callback(connection: virtproto.Connection, *args: Any) -> None:
        seen.append(args[1])
        go_on.wait(10)
        connection.close()

    go_on = threading.Event()
    connection = virtproto.open(uri)
    connection.domain_event_register_any(None, LIFECYCLE, callback)
    server.send(*(lifecycle(0, n) for n in range(20)))
    registry = connection._alive().registry
    until(None, lambda: registry._due is not None and len(registry._due) == 19)
    go_on.set()
    until(None, lambda: threads() == [])
    assert seen == [0]


def test_without_descriptors_nothing_is_left_behind(
    server: ScriptedServer, registrar: Registrar, uri: str
) -> None:
    with virtproto.open(uri) as connection:
        registry = connection._alive().registry
        with no_free_descriptors():
            with pytest.raises(TransportError, match="Too many open files"):
                connection.domain_event_register_any(None, LIFECYCLE, print)
            with pytest.raises(TransportError, match="Too many open files"):
                connection.register_close_callback(print)
            # Keepalive takes none.
            connection.set_keep_alive(5, 5)
            connection.set_keep_alive(0, 0)
        gc.collect()
        assert connection._channel._session.next_deadline() is None
        assert connection._alive().delivery._users == set()
        assert registry._being_made == 0
        assert registry.close_callback is None
        assert registrar.kept == {}
        number = connection.domain_event_register_any(None, LIFECYCLE, print)
        connection.domain_event_deregister_any(number)


def test_a_connection_forgotten_with_a_streams_callback_is_closed(
    server: ScriptedServer, uri: str
) -> None:
    def forget() -> None:
        stream = opened(server, virtproto.open(uri))
        stream.add_callback(1, lambda stream, events: None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        forget()
        gc.collect()
        server.wait_until(lambda seen: seen.connections_ended == 1)
        until(None, lambda: threads() == [])


def test_a_finished_stream_with_a_callback_holds_nothing_open(
    server: ScriptedServer, uri: str
) -> None:
    gc.disable()
    try:
        with virtproto.open(uri) as connection:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                with opened(server, connection, *END) as stream:
                    stream.add_callback(2, lambda stream, events: stream.update_callback(0))
                    assert stream.read() == b""
                del stream
            until(None, lambda: len(os.listdir("/proc/self/fd")) <= before)
    finally:
        gc.enable()


def test_a_callback_keeps_the_stream_of_a_connection_that_somebody_has(
    server: ScriptedServer, uri: str
) -> None:
    called: list[int] = []
    with virtproto.open(uri) as connection:

        def callback(stream: Stream, events: int) -> None:
            called.append(events)
            stream.abort()

        def begin() -> None:
            opened(server, connection).add_callback(2, callback)

        begin()
        gc.collect()
        until(None, lambda: called and threads() == [])
    assert called == [2]
