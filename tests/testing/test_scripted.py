"""A scripted server does what it is told, records what it heard, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.vectors import PING, PONG
from virtproto.errors import DeadlineError, UsageError
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    CallReceived,
    Event,
    EventReceived,
    PeerClosed,
    ReplyReceived,
    SessionFailed,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinishAsked,
    StreamFinished,
    StreamHoleReceived,
)
from virtproto.testing import (
    CloseConnection,
    FailStream,
    Faults,
    NoReply,
    OpenStream,
    ReplyError,
    ReplyUnknownProcedure,
    ScriptedServer,
    SendEvent,
    SendPing,
    SendRaw,
    SendStreamData,
    SendStreamEnd,
    SendStreamHole,
)
from virtproto.testing.actions import Action, Answer, Handler
from virtproto.wire import remote
from virtproto.wire.rpc import MessageError
from virtproto.xdr.procedure import Procedure

VERSION = remote.ConnectGetLibVersionRet(lib_ver=9000000)
DOWNLOAD = remote.STORAGE_VOL_DOWNLOAD


class Talker:
    """A client on a blocking socket, as small as can be."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10)
        self.session = ClientSession()
        self.reads: list[int] = []

    def send(self, procedure: Procedure[Any, Any] | int, args: bytes = b"") -> int:
        """Send a call; return its serial."""
        number = procedure if isinstance(procedure, int) else procedure.number
        opens_stream = not isinstance(procedure, int) and procedure.read_stream
        serial = self.session.send_call(remote.PROGRAM, 1, number, args, opens_stream=opens_stream)
        self.flush()
        return serial

    def flush(self) -> None:
        """Write what the session has to send; a server that has hung up is seen on reading."""
        if chunks := self.session.data_to_send():
            with contextlib.suppress(BrokenPipeError):
                self.sock.sendall(b"".join(chunks))

    def events(self, count: int = 1) -> list[Event]:
        """Read until there are so many events, or the end."""
        found: list[Event] = []
        while len(found) < count:
            data = self.sock.recv(65536)
            self.reads.append(len(data))
            if data:
                self.session.receive_data(data)
            else:
                self.session.receive_eof()
            found += self.session.events_received()
            self.flush()
            if not data:
                break
        return found


@pytest.fixture
def quiet() -> Iterator[None]:
    """Check that a test leaves no thread and no descriptor behind."""
    threads = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd"))
    yield
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


pytestmark = pytest.mark.usefixtures("quiet")


def ask(handler: Handler, count: int = 1) -> list[Event]:
    """Return what a client sees when CONNECT_GET_LIB_VERSION is answered so."""
    server = ScriptedServer({remote.CONNECT_GET_LIB_VERSION: handler})
    with server, server.connect() as sock:
        talker = Talker(sock)
        assert talker.send(remote.CONNECT_GET_LIB_VERSION) == 0
        return talker.events(count)


class TestAnswers:
    """What a handler may return."""

    @pytest.mark.parametrize(
        "handler", [VERSION, VERSION.pack(), lambda call: VERSION, lambda call: [VERSION]]
    )
    def test_result(self, handler: Handler) -> None:
        assert ask(handler) == [ReplyReceived(0, 0, VERSION.pack())]

    @pytest.mark.parametrize("handler", [None, b"", lambda call: None])
    def test_empty_result(self, handler: Handler) -> None:
        assert ask(handler) == [ReplyReceived(0, 0, b"")]

    def test_error(self) -> None:
        [event] = ask(ReplyError("no domain", code=42, domain=10, str1="%s", int1=7))
        assert isinstance(event, ReplyReceived)
        assert event.status == 1
        assert MessageError.unpack(event.payload) == MessageError(
            42, 10, "no domain", 2, None, "%s", None, None, 7, -1, None
        )

    def test_unknown_procedure(self) -> None:
        [event] = ask(ReplyUnknownProcedure())
        assert isinstance(event, ReplyReceived)
        assert MessageError.unpack(event.payload).message == "unknown procedure: 157"

    def test_handler_sees_the_call(self) -> None:
        seen: list[CallReceived] = []

        def handler(call: CallReceived) -> Answer:
            seen.append(call)
            return b""

        ask(handler)
        assert seen == [CallReceived(0, remote.PROGRAM, 1, 157)]

    def test_event_before_the_result(self) -> None:
        assert ask([SendEvent(remote.PROGRAM, 318, VERSION), b""], 2) == [
            EventReceived(remote.PROGRAM, 318, VERSION.pack()),
            ReplyReceived(0, 0, b""),
        ]

    def test_ping(self) -> None:
        server = ScriptedServer({remote.CONNECT_GET_LIB_VERSION: [SendPing(), b""]})
        with server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(157)
            talker.events()
            server.wait_until(lambda server: server.bytes_received.endswith(PONG))
            assert [packet.procedure for packet in server.packets] == [157, 2]

    def test_closing(self) -> None:
        assert ask([b"", CloseConnection()], 2) == [ReplyReceived(0, 0, b""), PeerClosed(0)]
        assert ask([CloseConnection()]) == [PeerClosed(0)]

    def test_half_a_packet(self) -> None:
        assert ask([SendRaw(PING[:20]), CloseConnection()]) == [PeerClosed(20)]

    @pytest.mark.parametrize("length", [3, 27, 1 << 31, (1 << 32) - 1])
    def test_impossible_length(self, length: int) -> None:
        [event] = ask(SendRaw(length.to_bytes(4, "big") + bytes(24)))
        assert isinstance(event, SessionFailed)
        assert f"a packet length of {length}" in str(event.error)

    def test_no_reply(self) -> None:
        server = ScriptedServer({remote.CONNECT_GET_LIB_VERSION: NoReply()})
        with server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.CONNECT_GET_LIB_VERSION)
            second = talker.send(remote.AUTH_LIST)
            [event] = talker.events()
            assert isinstance(event, ReplyReceived)
            assert event.serial == second

    def test_stream(self) -> None:
        script: list[Action] = [
            OpenStream(sparse=True),
            SendStreamData(b"early"),
            b"",
            SendStreamHole(5),
            SendStreamData(b"late"),
            SendStreamEnd(),
        ]
        with ScriptedServer({DOWNLOAD: script}) as server, server.connect() as sock:
            talker = Talker(sock)
            serial = talker.send(DOWNLOAD)
            assert talker.events(5) == [
                StreamDataReceived(serial, b"early"),
                ReplyReceived(serial, 0, b""),
                StreamHoleReceived(serial, 5),
                StreamDataReceived(serial, b"late"),
                StreamEnded(serial),
            ]
            talker.session.send_stream_data(serial, b"up")
            talker.session.send_stream_finish(serial)
            talker.flush()
            assert talker.events() == [StreamFinished(serial)]
            assert server.events == [StreamDataReceived(serial, b"up"), StreamFinishAsked(serial)]

    def test_failing_stream(self) -> None:
        script: list[Action] = [OpenStream(), b"", FailStream(ReplyError("broken", code=38))]
        with ScriptedServer({DOWNLOAD: script}) as server, server.connect() as sock:
            talker = Talker(sock)
            serial = talker.send(DOWNLOAD)
            [reply, failure] = talker.events(2)
            assert reply == ReplyReceived(serial, 0, b"")
            assert isinstance(failure, StreamFailed)
            assert MessageError.unpack(failure.payload).message == "broken"

    def test_unconfirmed_stream(self) -> None:
        script: list[Action] = [OpenStream(), b""]
        server = ScriptedServer({DOWNLOAD: script}, confirm_streams=False)
        with server, server.connect() as sock:
            talker = Talker(sock)
            serial = talker.send(DOWNLOAD)
            talker.events()
            talker.session.send_stream_finish(serial)
            talker.flush()
            server.wait_until(lambda server: bool(server.events))
            talker.send(remote.AUTH_LIST)
            [event] = talker.events()
            assert isinstance(event, ReplyReceived)


class TestServing:
    """Connections, records and the end."""

    def test_opening_and_closing(self) -> None:
        with ScriptedServer() as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.AUTH_LIST)
            talker.send(remote.CONNECT_OPEN, remote.ConnectOpenArgs("test:///default", 0).pack())
            talker.send(
                remote.CONNECT_SUPPORTS_FEATURE, remote.ConnectSupportsFeatureArgs(14).pack()
            )
            talker.send(remote.CONNECT_CLOSE)
            assert talker.events(5) == [
                ReplyReceived(0, 0, remote.AuthListRet([0]).pack()),
                ReplyReceived(1, 0, b""),
                ReplyReceived(2, 0, remote.ConnectSupportsFeatureRet(1).pack()),
                ReplyReceived(3, 0, b""),
                PeerClosed(0),
            ]

    def test_handlers_replace_the_defaults(self) -> None:
        with ScriptedServer({remote.AUTH_LIST: b"mine"}) as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.AUTH_LIST)
            assert talker.events() == [ReplyReceived(0, 0, b"mine")]
            server.handle(remote.AUTH_LIST, b"newer")
            talker.send(remote.AUTH_LIST)
            assert talker.events() == [ReplyReceived(1, 0, b"newer")]

    def test_no_defaults(self) -> None:
        with ScriptedServer(opening=False) as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.AUTH_LIST)
            [event] = talker.events()
            assert isinstance(event, ReplyReceived)
            assert MessageError.unpack(event.payload).message == "unknown procedure: 66"

    def test_unix_socket(self, tmp_path: Path) -> None:
        path = tmp_path / "sock"
        with ScriptedServer({remote.CONNECT_GET_LIB_VERSION: VERSION}) as server:
            assert server.listen(path) == str(path)
            for _ in range(3):
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(str(path))
                    talker = Talker(sock)
                    talker.send(remote.CONNECT_GET_LIB_VERSION)
                    assert talker.events() == [ReplyReceived(0, 0, VERSION.pack())]
            server.wait_until(lambda server: server.connections_ended == 3)
            assert len(server.calls) == 3
        assert not path.exists()

    def test_path_that_cannot_be(self, tmp_path: Path) -> None:
        with ScriptedServer() as server, pytest.raises(OSError, match="No such file"):
            server.listen(tmp_path / "no" / "sock")

    def test_connections_at_once(self) -> None:
        server = ScriptedServer({remote.CONNECT_GET_LIB_VERSION: VERSION})
        with server, server.connect() as one, server.connect() as two:
            talkers = [Talker(one), Talker(two)]
            for talker in talkers:
                talker.send(remote.CONNECT_GET_LIB_VERSION)
            for talker in talkers:
                assert talker.events() == [ReplyReceived(0, 0, VERSION.pack())]

    def test_record(self) -> None:
        with ScriptedServer() as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.AUTH_LIST)
            talker.events()
            sock.sendall(PING)
            server.wait_until(lambda server: len(server.packets) == 2)
            assert server.calls == [CallReceived(0, remote.PROGRAM, 1, 66)]
            assert server.bytes_received == server.packets[0].pack() + PING
            sock.shutdown(socket.SHUT_WR)
            server.wait_until(lambda server: server.connections_ended == 1)
            assert server.events == [PeerClosed(0)]

    def test_bad_client_is_dropped(self) -> None:
        with ScriptedServer() as server, server.connect() as sock:
            sock.sendall(bytes(28))
            sock.settimeout(10)
            assert sock.recv(100) == b""
            assert [type(event) for event in server.events] == [SessionFailed]

    def test_actions_out_of_the_blue(self) -> None:
        with ScriptedServer() as server, server.connect() as sock:
            talker = Talker(sock)
            server.send(SendEvent(remote.PROGRAM, 318, b"x"), SendRaw(PING), CloseConnection())
            assert talker.events(2) == [EventReceived(remote.PROGRAM, 318, b"x"), PeerClosed(0)]
            with pytest.raises(UsageError, match="NoReply belongs into a handler's answer"):
                server.send(NoReply())

    def test_waiting_in_vain(self) -> None:
        with ScriptedServer() as server, pytest.raises(DeadlineError, match=r"0\.01 s"):
            server.wait_until(lambda server: bool(server.calls), timeout_s=0.01)

    def test_stopping_twice_and_using_it_afterwards(self) -> None:
        server = ScriptedServer()
        server.stop()
        server.stop()
        with pytest.raises(UsageError, match="stopped"):
            server.connect()

    def test_stopping_while_connected_and_delayed(self) -> None:
        server = ScriptedServer({(remote.PROGRAM, 157): VERSION}, faults=Faults(delay_s=1.0))
        with server.connect() as sock:
            talker = Talker(sock)
            talker.send(157)
            server.wait_until(lambda server: len(server.calls) == 1)
            server.stop()
            assert talker.events() == [PeerClosed(0)]

    def test_failing_handler_fails_the_test(self) -> None:
        def handler(call: CallReceived) -> Answer:
            raise LookupError("no script for this")

        server = ScriptedServer({(remote.PROGRAM, 157): handler})
        with server.connect() as sock:
            talker = Talker(sock)
            talker.send(157)
            assert talker.events() == [PeerClosed(0)]
        with pytest.raises(LookupError, match="no script"):
            server.stop()
        server.stop()


class TestFaults:
    """Faults on a real socket."""

    def faulty(self, faults: Faults) -> ScriptedServer:
        handlers: dict[tuple[int, int] | Procedure[Any, Any], Handler] = {
            (remote.PROGRAM, number): bytes([0, 0, 0, number]) for number in (10, 11, 12, 13)
        }
        return ScriptedServer(handlers, faults=faults)

    @pytest.mark.parametrize("split", [1, 5])
    def test_split(self, split: int) -> None:
        with self.faulty(Faults(split=split)) as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(10)
            assert talker.events() == [ReplyReceived(0, 0, b"\0\0\0\x0a")]
            assert max(talker.reads) == split
            assert sum(talker.reads) == 32

    def test_delay(self) -> None:
        with self.faulty(Faults(delay_s=0.01, split=16)) as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(10)
            assert talker.events() == [ReplyReceived(0, 0, b"\0\0\0\x0a")]
            assert talker.reads == [16, 16]

    @pytest.mark.parametrize("cut_after", [0, 1, 28, 31])
    def test_cut(self, cut_after: int) -> None:
        with self.faulty(Faults(cut_after=cut_after)) as server, server.connect() as sock:
            talker = Talker(sock)
            if cut_after:
                talker.send(10)
            assert talker.events() == [PeerClosed(cut_after)]

    def test_reorder(self) -> None:
        with self.faulty(Faults(reorder=(2, 0, 1))) as server, server.connect() as sock:
            talker = Talker(sock)
            talker.send(remote.AUTH_LIST)
            assert len(talker.events()) == 1
            for number in (10, 11, 12, 13):
                talker.send(number)
            events = talker.events(3)
            assert [event.serial for event in events if isinstance(event, ReplyReceived)] == [
                3,
                1,
                2,
            ]
            server.wait_until(lambda server: len(server.calls) == 5)
            server.release()
            assert talker.events() == [ReplyReceived(4, 0, b"\0\0\0\x0d")]
