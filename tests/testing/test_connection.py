"""A connection of a scripted server carries out what handlers return, faults included."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.vectors import PING, PONG
from tests.testing.talker import Talker
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
