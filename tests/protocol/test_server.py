"""What a server makes of a client's packets, ordinary and odd, and the answers of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol import peer_packets
from tests.protocol.peer_packets import (
    CALL,
    CALL_FDS,
    CONTINUE,
    ERROR,
    HOLE,
    MESSAGE,
    OK,
    REMOTE,
    REPLY,
    REPLY_FDS,
    STREAM,
    TEN_BYTES_HOLE,
)
from tests.protocol.vectors import PING, PONG
from virtproto.errors import ConnectionClosedError, FramingError, SequenceError, UsageError
from virtproto.protocol.events import (
    CallReceived,
    Event,
    FdsUnclaimed,
    SessionFailed,
    StreamAbortAsked,
    StreamDataReceived,
    StreamFailed,
    StreamFinishAsked,
    StreamHoleReceived,
)
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.protocol.server import ServerSession, pack_error
from virtproto.protocol.session import CONNECTED, FAILED
from virtproto.wire.rpc import MessageError

UPLOAD = 208

# What the client writes here is about its upload.
packet = partial(peer_packets.packet, procedure=UPLOAD)


def received(server: ServerSession, *data: bytes) -> list[Event]:
    """Feed bytes; return the events."""
    for each in data:
        server.receive_data(each)
    return server.events_received()


def sent(server: ServerSession) -> list[Packet]:
    """Return the packets that the server has to send."""
    reader = PacketReader()
    reader.feed(b"".join(server.data_to_send()))
    found = []
    while (each := reader.next_packet()) is not None:
        found.append(each)
    assert reader.bytes_held == 0
    return found


def called(server: ServerSession, serial: int = 4) -> CallReceived:
    """Feed a call; return it."""
    [call] = received(server, packet(CALL, serial, OK, b"args"))
    assert isinstance(call, CallReceived)
    return call


def streaming(*, sparse: bool = False) -> ServerSession:
    """Return a server with an open stream of serial 4."""
    server = ServerSession()
    call = called(server)
    server.open_stream(call, sparse=sparse)
    server.send_reply(call)
    sent(server)
    return server


def assert_refused(server: ServerSession, data: bytes, message: str) -> None:
    """Feed a packet; expect an RPC error in reply and nothing for the front end."""
    assert received(server, data) == []
    [reply] = sent(server)
    asked = PacketReader()
    asked.feed(data)
    call = asked.next_packet()
    assert call is not None
    assert (reply.program, reply.version, reply.procedure, reply.serial) == (
        call.program,
        call.version,
        call.procedure,
        call.serial,
    )
    assert (reply.type, reply.status) == (REPLY, ERROR)
    error = MessageError.unpack(reply.payload, exact=True)
    assert (error.code, error.domain, error.level) == (39, 7, 2)
    assert (error.message, error.str1, error.str2) == (message, "%s", message)
    assert server.phase is CONNECTED


class TestCalls:
    """Calls and their answers."""

    def test_reply(self) -> None:
        server = ServerSession()
        call = called(server)
        assert call == CallReceived(4, REMOTE, 1, UPLOAD, b"args")
        server.send_reply(call, b"ret")
        assert sent(server) == [Packet(REMOTE, 1, UPLOAD, REPLY, 4, OK, b"ret")]

    def test_serials_are_not_checked(self) -> None:
        server = ServerSession()
        events = received(server, packet(CALL, 4, OK, b"a"), packet(CALL, 4, OK, b"b"))
        assert [type(event) for event in events] == [CallReceived, CallReceived]

    def test_error_with_every_field(self) -> None:
        server = ServerSession()
        error = pack_error(
            "no domain",
            code=42,
            domain=10,
            level=1,
            str1="%s",
            str2="no domain",
            str3="",
            int1=2,
            int2=3,
        )
        server.send_error(called(server), error)
        [reply] = sent(server)
        assert (reply.type, reply.status) == (REPLY, ERROR)
        assert MessageError.unpack(reply.payload, exact=True) == MessageError(
            42, 10, "no domain", 1, None, "%s", "no domain", "", 2, 3, None
        )

    def test_packed_error(self) -> None:
        server = ServerSession()
        server.send_error(called(server), b"packed")
        assert [(each.status, each.payload) for each in sent(server)] == [(ERROR, b"packed")]

    @pytest.mark.parametrize(
        ("program", "version"), [(0x12341234, 1), (REMOTE, 2), (0x6B656570, 1)]
    )
    def test_unknown_program(self, program: int, version: int) -> None:
        data = packet(CALL, 9, OK, program=program, version=version)
        reason = f"Cannot find program {program} version {version}"
        assert_refused(ServerSession(), data, reason)

    @pytest.mark.parametrize("status", [ERROR, CONTINUE, 7, -1])
    def test_impossible_status(self, status: int) -> None:
        assert_refused(ServerSession(), packet(CALL, 9, status), "Unexpected message status")

    @pytest.mark.parametrize("procedure", [0, -1, 9999])
    def test_unknown_procedure(self, procedure: int) -> None:
        server = ServerSession()
        [call] = received(server, packet(CALL, 4, OK, procedure=procedure))
        assert isinstance(call, CallReceived)
        server.send_unknown_procedure(call)
        [reply] = sent(server)
        error = MessageError.unpack(reply.payload, exact=True)
        assert error.message == f"unknown procedure: {procedure}"

    @pytest.mark.parametrize(
        "data",
        [
            packet(REPLY, 0, OK),
            packet(REPLY, 0, ERROR, b"x"),
            packet(REPLY_FDS, 0, OK, nfds=0),
            packet(MESSAGE, 1, OK, procedure=318),
            packet(MESSAGE, 1, OK, program=0x12341234),
            packet(STREAM, 0, CONTINUE, b"x"),
            packet(STREAM, 0, OK),
            packet(STREAM, 0, 9),
            packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE),
        ],
    )
    def test_what_no_client_should_send_is_dropped(self, data: bytes) -> None:
        server = ServerSession()
        assert received(server, data) == []
        assert sent(server) == []
        assert server.phase is CONNECTED

    @pytest.mark.parametrize("kind", [7, -1, 1000])
    def test_unknown_type_ends_the_session(self, kind: int) -> None:
        server = ServerSession()
        [event] = received(server, packet(kind, 0, OK))
        assert isinstance(event, SessionFailed)
        assert isinstance(event.error, FramingError)
        assert server.phase is FAILED

    def test_nothing_can_be_sent_after_a_failure(self) -> None:
        server = ServerSession()
        call = called(server)
        received(server, bytes(28))
        sends: list[Callable[[], None]] = [
            lambda: server.send_reply(call),
            lambda: server.send_unknown_procedure(call),
            lambda: server.send_event(REMOTE, 1, 318, b""),
        ]
        for send in sends:
            with pytest.raises(ConnectionClosedError):
                send()


class TestDescriptors:
    """Calls and replies with file descriptors."""

    def test_both_ways(self) -> None:
        server = ServerSession(fd_passing=True)
        assert received(server, packet(CALL_FDS, 4, OK, b"args", nfds=2) + b"\0") == []
        assert server.fds_expected == 1
        [call] = received(server, b"\0")
        assert call == CallReceived(4, REMOTE, 1, UPLOAD, b"args", nfds=2)
        assert isinstance(call, CallReceived)
        server.send_reply(call, b"ret", nfds=1)
        assert b"".join(server.data_to_send()) == packet(REPLY_FDS, 4, OK, b"ret", nfds=1)
        assert server.fds_due == 1

    def test_without_any(self) -> None:
        server = ServerSession()
        [call] = received(server, packet(CALL_FDS, 4, OK, b"args", nfds=0))
        assert call == CallReceived(4, REMOTE, 1, UPLOAD, b"args")

    def test_nobodys(self) -> None:
        server = ServerSession(fd_passing=True)
        events = received(
            server,
            packet(REPLY_FDS, 4, OK, nfds=1) + b"\0",
            packet(CALL_FDS, 4, OK, nfds=2, program=1) + b"\0\0",
        )
        assert events == [FdsUnclaimed(1), FdsUnclaimed(2)]

    def test_not_without_a_unix_socket(self) -> None:
        server = ServerSession()
        with pytest.raises(UsageError, match="cannot carry descriptors"):
            server.send_reply(called(server), nfds=1)
        [event] = received(server, packet(CALL_FDS, 4, OK, nfds=1))
        assert isinstance(event, SessionFailed)


class TestStreams:
    """Streams, as the server sees them."""

    def test_upload(self) -> None:
        server = streaming(sparse=True)
        events = received(
            server,
            packet(STREAM, 4, CONTINUE, b"data"),
            packet(HOLE, 4, CONTINUE, TEN_BYTES_HOLE),
            packet(STREAM, 4, CONTINUE),
            packet(STREAM, 4, OK),
        )
        assert events == [
            StreamDataReceived(4, b"data"),
            StreamHoleReceived(4, 10),
            StreamFinishAsked(4),
        ]
        server.send_stream_confirm(4)
        assert sent(server) == [Packet(REMOTE, 1, UPLOAD, STREAM, 4, OK)]
        assert received(server, packet(STREAM, 4, OK), packet(STREAM, 4, ERROR)) == []
        assert sent(server) == []

    def test_download(self) -> None:
        server = streaming()
        server.send_stream_data(4, b"data")
        server.send_stream_hole(4, 10)
        server.send_stream_end(4)
        assert sent(server) == [
            Packet(REMOTE, 1, UPLOAD, STREAM, 4, CONTINUE, b"data"),
            Packet(REMOTE, 1, UPLOAD, HOLE, 4, CONTINUE, TEN_BYTES_HOLE),
            Packet(REMOTE, 1, UPLOAD, STREAM, 4, CONTINUE),
        ]

    def test_abort_and_what_follows_it(self) -> None:
        server = streaming()
        events = received(
            server,
            packet(STREAM, 4, ERROR),
            packet(STREAM, 4, CONTINUE, b"late"),
            packet(STREAM, 4, OK),
        )
        assert events == [StreamAbortAsked(4)]
        server.send_stream_data(4, b"was queued")
        server.send_stream_confirm(4)
        assert [each.status for each in sent(server)] == [CONTINUE, OK]

    @pytest.mark.parametrize("end", [OK, ERROR])
    def test_nothing_is_heard_after_the_end_was_asked(self, end: int) -> None:
        server = streaming(sparse=True)
        assert len(received(server, packet(STREAM, 4, end))) == 1
        leftovers = [
            packet(STREAM, 4, CONTINUE, b"late"),
            packet(STREAM, 4, CONTINUE),
            packet(HOLE, 4, CONTINUE, TEN_BYTES_HOLE),
            packet(STREAM, 4, OK),
            packet(STREAM, 4, ERROR),
        ]
        for data in leftovers:
            assert received(server, data) == []
        assert sent(server) == []
        server.send_stream_hole(4, 1)
        server.send_stream_end(4)
        server.send_stream_error(4, b"error")
        assert [each.status for each in sent(server)] == [CONTINUE, CONTINUE, ERROR]

    def test_error_ends_the_stream(self) -> None:
        server = streaming()
        payload = pack_error("broken", code=38)
        server.send_stream_error(4, payload)
        assert sent(server) == [Packet(REMOTE, 1, UPLOAD, STREAM, 4, ERROR, payload)]
        sends: list[Callable[[], None]] = [
            lambda: server.send_stream_data(4, b"x"),
            lambda: server.send_stream_confirm(4),
            lambda: server.send_stream_error(4, payload),
        ]
        for send in sends:
            with pytest.raises(UsageError, match="not open"):
                send()
        assert received(server, packet(STREAM, 4, OK)) == []

    def test_impossible_status_aborts_with_an_error(self) -> None:
        server = streaming()
        [event] = received(server, packet(STREAM, 4, 5))
        assert isinstance(event, StreamFailed)
        [reply] = sent(server)
        assert (reply.type, reply.status, reply.payload) == (STREAM, ERROR, event.payload)
        assert MessageError.unpack(event.payload).message == "Unexpected message status"
        assert server.phase is CONNECTED

    def test_hole_in_a_plain_stream_ends_the_session(self) -> None:
        server = streaming()
        [event] = received(server, packet(HOLE, 4, CONTINUE, TEN_BYTES_HOLE))
        assert isinstance(event, SessionFailed)
        assert isinstance(event.error, SequenceError)

    def test_other_call_with_the_serial_is_another_stream(self) -> None:
        server = streaming()
        assert received(server, packet(STREAM, 4, CONTINUE, b"x", procedure=209)) == []

    def test_one_stream_per_serial(self) -> None:
        server = ServerSession()
        call = called(server)
        server.open_stream(call)
        with pytest.raises(UsageError, match="serial 4 already"):
            server.open_stream(call)

    def test_confirmation_only_when_asked(self) -> None:
        with pytest.raises(UsageError, match="confirm on the stream with serial 4, which is open"):
            streaming().send_stream_confirm(4)


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_random_bytes_never_raise(data: list[bytes]) -> None:
    server = streaming()
    for each in data:
        server.receive_data(each)
    server.receive_eof()


@given(
    st.lists(
        st.builds(
            packet,
            st.sampled_from([*range(8), -1]),
            st.integers(3, 5),
            st.sampled_from([0, 1, 2, 3]),
            st.sampled_from([b"", b"\0\0\0\0", TEN_BYTES_HOLE]) | st.binary(max_size=40),
            procedure=st.sampled_from([1, UPLOAD]),
            program=st.sampled_from([REMOTE, 1, 0x6B656570]),
        ),
        max_size=10,
    ),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_split_gives_the_same_events(data: list[bytes], size: int, sparse: bool) -> None:
    whole = b"".join(data)
    server, other = streaming(sparse=sparse), streaming(sparse=sparse)
    server.receive_data(whole)
    for at in range(0, len(whole), size):
        other.receive_data(whole[at : at + size])
    assert repr(server.events_received()) == repr(other.events_received())
    assert server.phase == other.phase
    assert server.data_to_send() == other.data_to_send()


def test_ping_amid_calls() -> None:
    server = ServerSession()
    received(server, packet(CALL, 0, OK) + PING)
    assert server.data_to_send() == [PONG]
