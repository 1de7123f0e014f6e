"""A scripted server serves, records what it heard, and leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.protocol.vectors import PING
from tests.testing.talker import Talker
from virtproto.errors import DeadlineError, UsageError
from virtproto.protocol.events import (
    CallReceived,
    EventReceived,
    PeerClosed,
    ReplyReceived,
    SessionFailed,
)
from virtproto.testing import (
    CloseConnection,
    Faults,
    NoReply,
    ScriptedServer,
    SendEvent,
    SendRaw,
)
from virtproto.testing.actions import Answer
from virtproto.wire import remote
from virtproto.wire.rpc import MessageError

VERSION = remote.ConnectGetLibVersionRet(lib_ver=9000000)
DOWNLOAD = remote.STORAGE_VOL_DOWNLOAD


pytestmark = pytest.mark.usefixtures("quiet")


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
