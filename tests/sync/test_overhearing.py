"""Traced blocking connections: signals anywhere, threads, functions that use what they trace."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import until
from tests.colours.streaming import UPLOAD, opened, sent_to
from tests.colours.tracing import Kept, told
from tests.sync.test_torn_anywhere import PROMPT_S, Peer, Stop, Tearing, check, in_thread
from virtproto.errors import ConnectionClosedError, UsageError
from virtproto.protocol.events import CallReceived
from virtproto.sync import overhearing
from virtproto.sync.channel import Channel
from virtproto.testing import ScriptedServer
from virtproto.testing.actions import Answer
from virtproto.trace import message as kinds
from virtproto.trace.following import Follower
from virtproto.trace.message import TracedMessage
from virtproto.transport.road import Road
from virtproto.wire import load_contract, remote
from virtproto.wire.remote.connect import CONNECT_GET_HOSTNAME as OTHER
from virtproto.wire.remote.connect import CONNECT_GET_LIB_VERSION as MINE

VERSION = remote.ConnectGetLibVersionRet(lib_ver=12008000)
HOST = remote.ConnectGetHostnameRet(hostname="h")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The socket ``s`` in the test's own folder."""
    return str(tmp_path / "s")


@pytest.fixture
def uri(path: str) -> str:
    """A URI of the test's own socket."""
    return f"test:///default?socket={path}"


@pytest.fixture
def server(path: str) -> Iterator[ScriptedServer]:
    """A daemon that knows its release and a name."""
    with ScriptedServer({MINE: VERSION, OTHER: HOST}) as running:
        running.listen(path)
        yield running


def tear_and_see(place: int, channel: Channel) -> tuple[bool, bool]:
    """Tear a call at a place; return whether there is such a place, and if it is in observing."""
    tearing = Tearing(place)
    try:
        with tearing:
            channel.call(MINE, b"")
    except Stop as stop:
        frames = traceback.extract_tb(stop.__traceback__)
        # The lists' own work is what an untraced channel does as well.
        names = {(Path(frame.filename).name, frame.name) for frame in frames}
        own = {name for file, name in names if file == "overhearing.py"}
        return True, bool(own & {"tell", "_tell_some", "_tell_one", "_take", "_follow"})
    return tearing.left <= 0, False


class Knowing(Follower):
    """A follower that need not look for the two procedures, which takes a while under a tracer."""

    def __init__(self, conversation: int) -> None:
        super().__init__(conversation)
        for each in (MINE, OTHER):
            declared = load_contract().procedure(each.program, each.number)
            self._declared[each.program, each.number] = declared


@pytest.mark.parametrize("leads", [True, False], ids=["leads", "follows"])
def test_a_traced_call_is_torn_anywhere(leads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtproto.trace.overhearing.Follower", Knowing)
    place = observing = 0
    torn = True
    while torn:
        place += 1
        peer = Peer()
        kept = Kept()
        road = Road(peer.ours, "a socket pair")
        road.tracer = kept
        channel = Channel.over(road)
        done = threading.Event()

        def other(channel: Channel = channel, done: threading.Event = done) -> bytes:
            if leads:
                until(None, lambda: channel._lead is not None or done.is_set())
            return channel.call(OTHER, b"")

        thread, results = in_thread(other)
        if not leads:
            until(None, lambda: channel._lead is not None)  # noqa: B023 - called at once
        torn, in_observing = tear_and_see(place, channel)
        done.set()
        if in_observing:
            observing += 1
            assert channel.is_open
            assert channel.call(MINE, b"", PROMPT_S) == b"mine"
            thread.join(PROMPT_S)
            assert results == [b"other"]
            # What comes from then on is told as if nothing had happened.
            assert channel.call(MINE, b"", PROMPT_S) == b"mine"
            until(None, lambda: len(kept) > 1)  # noqa: B023 - called at once
            assert told(kept[-2:]) == [("call", MINE.name), ("reply", MINE.name)]
            assert [each.oddity for each in kept[-2:]] == [None, None]
        check(channel, thread, results)
        peer.stop()
    assert place > 30
    # Who follows may find that the other tells nearly all.
    assert observing > 50 or not leads


def test_many_threads_are_told_of_in_order(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    with virtproto.open(uri, trace=kept) as connection:

        def ask() -> None:
            for _ in range(50):
                assert connection.get_library_version() == 12008000

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert kept.names().count(MINE.name) == 400
    assert kept.names(from_client=False).count(MINE.name) == 400
    kept.sound()


def test_a_call_is_told_although_another_thread_reads(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    go_on = threading.Event()
    seen: list[str | None] = []

    def wait(call: CallReceived) -> Answer:
        go_on.wait(10)
        return HOST

    server.handle(OTHER, wait)
    with virtproto.open(uri, trace=kept) as connection:
        first = threading.Thread(target=connection.get_hostname)
        first.start()
        until(None, lambda: OTHER.name in kept.names())
        second = threading.Thread(target=connection.get_library_version)
        second.start()
        # Nothing comes that would wake the one who reads.
        until(None, lambda: MINE.name in kept.names())
        seen += kept.names(from_client=False)
        go_on.set()
        first.join()
        second.join()
    assert OTHER.name not in seen
    assert MINE.name not in seen
    kept.sound()


def test_a_function_cannot_wait_on_the_connection_that_it_traces(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))
    kept = Kept()

    def ask(message: TracedMessage) -> None:
        kept(message)
        if message.procedure == OTHER.name:
            connection.get_library_version()

    with virtproto.open(uri, trace=ask) as connection:
        assert connection.get_hostname() == "h"
        assert connection.get_hostname() == "h"
    assert [type(each) for each in reported] == [UsageError]
    assert str(reported[0]).startswith("trace: the function ")
    kept.sound()


def test_many_notes_make_others_wait_and_not_for_ever(
    server: ScriptedServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that waits for a call of another thread, on a connection that a third reads."""
    monkeypatch.setattr(overhearing, "_MANY", 0)
    monkeypatch.setattr(overhearing, "_PATIENCE_S", 0.02)
    kept = Kept()
    go_on = threading.Event()

    def tell(message: TracedMessage) -> None:
        kept(message)
        if message.procedure == OTHER.name and message.kind is kinds.CALL:
            go_on.wait(10)

    with virtproto.open(uri, trace=tell) as connection:
        asker = threading.Thread(target=connection.get_hostname)
        asker.start()
        until(None, lambda: OTHER.name in kept.names())
        # The asker reads; what is sent meanwhile leaves, and its sender does not wait for ever.
        connection._channel.keep_alive(0.001, 1000)
        server.wait_until(lambda seen: len(seen.packets) > 5)
        go_on.set()
        asker.join()
    kept.sound()


def test_an_upload_that_nobody_reads_for_piles_up_nothing(server: ScriptedServer, uri: str) -> None:
    kept = Kept()
    with virtproto.open(uri, trace=kept) as connection:
        stream = opened(server, connection, procedure=UPLOAD)
        for number in range(20):
            stream.send(bytes([number]) * 1000)
            assert kept[-1].packet.payload == bytes([number]) * 1000
        stream.finish()
    assert len(sent_to(server)) == 20_000
    kept.sound()


def test_a_forked_process_tells_nothing(server: ScriptedServer, uri: str, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def write(message: TracedMessage) -> None:
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")

    with virtproto.open(uri, trace=write) as connection:
        child = os.fork()
        if not child:
            code = 1
            try:
                connection.get_library_version()
            except ConnectionClosedError:
                connection.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection.get_library_version() == 12008000
    assert set(log.read_text().split()) == {str(os.getpid())}


def test_who_is_not_traced_has_none_of_it(server: ScriptedServer, uri: str) -> None:
    with virtproto.open(uri, trace=False) as connection:
        channel = connection._channel
        assert channel._hearing is None
        assert (type(channel._inbox), type(channel._outgoing)) == (list, list)


def test_a_dropped_connection_is_closed_with_a_warning(server: ScriptedServer, uri: str) -> None:
    connection = virtproto.open(uri, trace=Kept())
    with pytest.warns(ResourceWarning, match="was never closed"):
        del connection
