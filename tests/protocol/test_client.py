"""What a client makes of a daemon's packets, ordinary and odd, and what it may send when."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import (
    ConnectionClosedError,
    DecodeError,
    EncodeError,
    FramingError,
    SequenceError,
    UsageError,
)
from virtproto.protocol import streams
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    CallFailed,
    Event,
    EventReceived,
    FdsUnclaimed,
    ReplyReceived,
    SessionFailed,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinished,
    StreamHoleReceived,
)
from virtproto.protocol.framing import pack_packet
from virtproto.protocol.limits import FAILED_STREAMS_KEPT, PAYLOAD_MAX
from virtproto.protocol.session import CONNECTED, FAILED

REMOTE = 0x20008086
QEMU = 0x20008087
UNKNOWN = 0x12341234
CALL, REPLY, MESSAGE, STREAM, CALL_FDS, REPLY_FDS, HOLE = range(7)
OK, ERROR, CONTINUE = range(3)
INFO = 16
DOWNLOAD = 209
TEN_BYTES_HOLE = b"\0\0\0\0\0\0\0\x0a\0\0\0\0"


def packet(
    kind: int,
    serial: int,
    status: int,
    payload: bytes = b"",
    *,
    procedure: int = DOWNLOAD,
    program: int = REMOTE,
    version: int = 1,
    nfds: int | None = None,
) -> bytes:
    """Return a packet as a daemon might write it."""
    return pack_packet(program, version, procedure, kind, serial, status, payload, nfds)


def calling(procedure: int = INFO) -> ClientSession:
    """Return a client that waits for the answer to its call 0."""
    client = ClientSession()
    assert client.send_call(REMOTE, 1, procedure) == 0
    client.data_to_send()
    return client


def opening() -> ClientSession:
    """Return a client whose call 0 opens a stream."""
    client = ClientSession()
    assert client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True) == 0
    client.data_to_send()
    return client


def streaming() -> ClientSession:
    """Return a client with an open stream of serial 0."""
    client = opening()
    assert received(client, packet(REPLY, 0, OK)) == [ReplyReceived(0, OK, b"")]
    assert client.stream_state(0) is streams.OPEN
    return client


def received(client: ClientSession, *data: bytes) -> list[Event]:
    """Feed bytes; return the events."""
    for each in data:
        client.receive_data(each)
    return client.events_received()


def sent(client: ClientSession) -> bytes:
    """Return what the client has to send."""
    return b"".join(client.data_to_send())


def assert_failed(client: ClientSession, kind: type[Exception], text: str, *data: bytes) -> None:
    """Feed bytes; expect the end of the session with such an error and nothing else."""
    [event] = received(client, *data)
    assert isinstance(event, SessionFailed)
    assert isinstance(event.error, kind)
    assert text in str(event.error)
    assert client.phase is FAILED
    assert sent(client) == b""
    # Whatever comes later is dropped, and nothing can be sent.
    assert received(client, *data, packet(MESSAGE, 1, OK, procedure=318)) == []
    with pytest.raises(ConnectionClosedError, match="failed"):
        client.send_call(REMOTE, 1, INFO)


class TestReplies:
    """Answers to calls."""

    def test_out_of_order(self) -> None:
        client = ClientSession()
        serials = [client.send_call(REMOTE, 1, number) for number in (10, 11, 12)]
        assert serials == [0, 1, 2]
        assert client.calls_pending == 3
        events = received(
            client,
            packet(REPLY, 2, OK, b"two", procedure=12),
            packet(REPLY, 0, ERROR, b"zero", procedure=10),
            packet(REPLY, 1, OK, b"one", procedure=11),
        )
        assert events == [
            ReplyReceived(2, OK, b"two"),
            ReplyReceived(0, ERROR, b"zero"),
            ReplyReceived(1, OK, b"one"),
        ]
        assert client.calls_pending == 0

    def test_programs_share_the_serials(self) -> None:
        client = ClientSession()
        assert [client.send_call(REMOTE, 1, 1), client.send_call(QEMU, 1, 1)] == [0, 1]
        events = received(client, packet(REPLY, 1, OK, program=QEMU, procedure=1))
        assert events == [ReplyReceived(1, OK, b"")]

    @pytest.mark.parametrize("serial", [1, 7, 0xFFFFFFFF])
    def test_unknown_serial_ends_the_session(self, serial: int) -> None:
        reply = packet(REPLY, serial, OK, procedure=INFO)
        assert_failed(calling(), SequenceError, f"serial {serial}, which no call", reply)

    def test_second_reply_ends_the_session(self) -> None:
        client = calling()
        reply = packet(REPLY, 0, OK, procedure=INFO)
        assert received(client, reply) == [ReplyReceived(0, OK, b"")]
        assert_failed(client, SequenceError, "which no call waits for", reply)

    @pytest.mark.parametrize(("program", "version"), [(QEMU, 1), (REMOTE, 2)])
    def test_another_program_ends_the_session(self, program: int, version: int) -> None:
        reply = packet(REPLY, 0, OK, procedure=INFO, program=program, version=version)
        assert_failed(calling(), SequenceError, "which is a call of program", reply)

    def test_another_procedure_fails_the_call_alone(self) -> None:
        client = calling()
        other = client.send_call(REMOTE, 1, 17)
        [failed, fine] = received(
            client,
            packet(REPLY, 0, OK, procedure=17),
            packet(REPLY, other, OK, procedure=17),
        )
        assert isinstance(failed, CallFailed)
        assert failed.serial == 0
        assert isinstance(failed.error, SequenceError)
        assert "procedure 17, not 16" in str(failed.error)
        assert fine == ReplyReceived(other, OK, b"")
        assert client.phase is CONNECTED

    @pytest.mark.parametrize("status", [CONTINUE, 3, -1, 0x7FFFFFFF])
    def test_impossible_status_fails_the_call_alone(self, status: int) -> None:
        client = calling()
        [failed] = received(client, packet(REPLY, 0, status, procedure=INFO))
        assert isinstance(failed, CallFailed)
        assert f"status {status}" in str(failed.error)
        assert client.phase is CONNECTED

    def test_late_answer_to_an_abandoned_call_is_swallowed(self) -> None:
        client = calling()
        assert client.abandon_call(0)
        assert not client.abandon_call(0)
        assert (client.calls_pending, client.calls_abandoned) == (0, 1)
        reply = packet(REPLY, 0, CONTINUE, b"late", procedure=17)
        assert received(client, reply) == []
        assert client.calls_abandoned == 0
        assert_failed(client, SequenceError, "which no call waits for", reply)

    def test_abandoning_what_is_answered_or_unknown_does_nothing(self) -> None:
        client = calling()
        received(client, packet(REPLY, 0, OK, procedure=INFO))
        assert not client.abandon_call(0)
        assert not client.abandon_call(5)

    @pytest.mark.parametrize("kind", [CALL, CALL_FDS, 7, 99, -1])
    def test_type_that_no_daemon_writes_ends_the_session(self, kind: int) -> None:
        data = packet(kind, 0, OK, b"\0\0\0\0", procedure=INFO)
        assert_failed(calling(), FramingError, f"type {kind}", data)

    @pytest.mark.parametrize("length", [0, 3, 27, 1 << 31, (1 << 32) - 1])
    def test_impossible_length_ends_the_session(self, length: int) -> None:
        data = length.to_bytes(4, "big") + bytes(24)
        assert_failed(calling(), FramingError, f"length of {length}", data)

    def test_what_came_before_a_failure_is_reported(self) -> None:
        client = calling()
        reply = packet(REPLY, 0, OK, b"fine", procedure=INFO)
        [first, second] = received(client, reply + bytes(28))
        assert first == ReplyReceived(0, OK, b"fine")
        assert isinstance(second, SessionFailed)


class TestShortWay:
    """receive_reply, for one call and its answer."""

    reply = packet(REPLY, 0, OK, b"result", procedure=INFO)

    def test_the_answer_alone(self) -> None:
        client = calling()
        assert client.receive_reply(0, self.reply) == ReplyReceived(0, OK, b"result")
        assert client.events_received() == []
        assert client.calls_pending == 0

    def test_an_error_too(self) -> None:
        client = calling()
        reply = packet(REPLY, 0, ERROR, b"error", procedure=INFO)
        assert client.receive_reply(0, reply) == ReplyReceived(0, ERROR, b"error")

    @pytest.mark.parametrize("cut", [0, 1, 3, 4, 27, 28, 33])
    def test_in_two_pieces(self, cut: int) -> None:
        client = calling()
        assert client.receive_reply(0, self.reply[:cut]) is None
        event = client.receive_reply(0, self.reply[cut:])
        events = client.events_received()
        assert [event, *events] in (
            [ReplyReceived(0, OK, b"result")],
            [None, ReplyReceived(0, OK, b"result")],
        )

    def test_order_is_kept_behind_events(self) -> None:
        client = calling()
        event = packet(MESSAGE, 1, OK, b"event", procedure=318)
        assert client.receive_reply(0, event) is None
        assert client.receive_reply(0, self.reply) is None
        assert client.events_received() == [
            EventReceived(REMOTE, 318, b"event"),
            ReplyReceived(0, OK, b"result"),
        ]

    @pytest.mark.parametrize(
        "data",
        [
            packet(REPLY, 1, OK, procedure=INFO),
            packet(REPLY, 0, CONTINUE, procedure=INFO),
            packet(REPLY, 0, OK, procedure=17),
            packet(REPLY, 0, OK, procedure=INFO, program=QEMU),
            packet(MESSAGE, 0, OK, procedure=INFO),
            packet(9, 0, OK, procedure=INFO),
            bytes(28),
        ],
    )
    def test_all_else_is_as_with_receive_data(self, data: bytes) -> None:
        client, other = calling(), calling()
        assert client.receive_reply(0, data) is None
        other.receive_data(data)
        assert repr(client.events_received()) == repr(other.events_received())
        assert client.phase == other.phase

    def test_keepalive_hears_it(self) -> None:
        client = calling()
        client.enable_keepalive(5, 1, now=0)
        assert client.receive_reply(0, self.reply, now=3) is None
        assert client.next_deadline() == 8
        assert client.events_received() == [ReplyReceived(0, OK, b"result")]


class TestEvents:
    """Event messages."""

    @pytest.mark.parametrize("serial", [0, 1, 77])
    def test_serial_means_nothing(self, serial: int) -> None:
        client = calling()
        events = received(client, packet(MESSAGE, serial, OK, b"x", procedure=318))
        assert events == [EventReceived(REMOTE, 318, b"x")]
        assert client.calls_pending == 1

    def test_unknown_procedure_is_passed_on(self) -> None:
        client = ClientSession()
        events = received(client, packet(MESSAGE, 1, OK, procedure=99999))
        assert events == [EventReceived(REMOTE, 99999, b"")]

    @pytest.mark.parametrize("status", [ERROR, CONTINUE, 9])
    def test_bad_status_is_ignored(self, status: int) -> None:
        client = ClientSession()
        assert received(client, packet(MESSAGE, 1, status, procedure=318)) == []
        assert client.phase is CONNECTED

    @pytest.mark.parametrize(
        ("program", "version"), [(UNKNOWN, 1), (REMOTE, 2), (0x6B656570, 2), (0x06900690, 1)]
    )
    def test_unknown_program_ends_the_session(self, program: int, version: int) -> None:
        data = packet(MESSAGE, 1, OK, program=program, version=version)
        assert_failed(ClientSession(), SequenceError, f"program {program:#x}", data)

    def test_programs_are_the_front_ends_choice(self) -> None:
        client = ClientSession(programs=[(UNKNOWN, 3)])
        data = packet(MESSAGE, 1, OK, procedure=5, program=UNKNOWN, version=3)
        assert received(client, data) == [EventReceived(UNKNOWN, 5, b"")]
        assert_failed(client, SequenceError, "program", packet(MESSAGE, 1, OK))


class TestStreamsFromTheServer:
    """Stream packets in every state."""

    def test_download(self) -> None:
        client = streaming()
        events = received(
            client,
            packet(STREAM, 0, CONTINUE, b"data"),
            packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE),
            packet(STREAM, 0, CONTINUE, b"more"),
            packet(STREAM, 0, CONTINUE),
        )
        assert events == [
            StreamDataReceived(0, b"data"),
            StreamHoleReceived(0, 10),
            StreamDataReceived(0, b"more"),
            StreamEnded(0),
        ]
        assert client.stream_state(0) is streams.OPEN
        client.send_stream_finish(0)
        assert sent(client) == packet(STREAM, 0, OK)
        assert received(client, packet(STREAM, 0, OK)) == [StreamFinished(0)]
        assert client.stream_state(0) is streams.CLOSED

    def test_data_may_overtake_the_reply(self) -> None:
        events = received(
            opening(),
            packet(STREAM, 0, CONTINUE, b"early"),
            packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE),
            packet(STREAM, 0, CONTINUE),
            packet(REPLY, 0, OK, b"ret"),
        )
        assert events == [
            StreamDataReceived(0, b"early"),
            StreamHoleReceived(0, 10),
            StreamEnded(0),
            ReplyReceived(0, OK, b"ret"),
        ]

    def test_refused_opening_leaves_no_stream(self) -> None:
        client = opening()
        events = received(client, packet(REPLY, 0, ERROR, b"no"), packet(STREAM, 0, CONTINUE, b"x"))
        assert events == [ReplyReceived(0, ERROR, b"no")]
        assert client.stream_state(0) is streams.CLOSED

    def test_error_overtakes_the_reply(self) -> None:
        client = opening()
        events = received(
            client,
            packet(STREAM, 0, ERROR, b"broken"),
            packet(STREAM, 0, CONTINUE, b"x"),
            packet(REPLY, 0, OK),
        )
        assert events == [StreamFailed(0, b"broken"), ReplyReceived(0, OK, b"")]
        assert client.stream_state(0) is streams.FAILED

    @pytest.mark.parametrize("status", [CONTINUE, 5])
    def test_opening_reply_with_impossible_status(self, status: int) -> None:
        client = opening()
        [failed] = received(client, packet(REPLY, 0, status), packet(STREAM, 0, CONTINUE, b"x"))
        assert isinstance(failed, CallFailed)
        assert client.stream_state(0) is streams.FAILED

    def test_opening_reply_with_another_procedure(self) -> None:
        client = opening()
        [failed] = received(client, packet(REPLY, 0, OK, procedure=1))
        assert isinstance(failed, CallFailed)
        assert client.phase is CONNECTED
        with pytest.raises(UsageError):
            client.send_stream_data(0, b"x")

    @pytest.mark.parametrize("kind", [STREAM, HOLE])
    @pytest.mark.parametrize("status", [OK, ERROR, CONTINUE, 7])
    def test_unknown_serial_is_ignored(self, kind: int, status: int) -> None:
        client = streaming()
        assert received(client, packet(kind, 5, status, TEN_BYTES_HOLE)) == []
        assert client.phase is CONNECTED

    @pytest.mark.parametrize("kind", [STREAM, HOLE])
    def test_other_call_with_the_serial_is_another_stream(self, kind: int) -> None:
        client = streaming()
        data = [
            packet(kind, 0, OK, procedure=211),
            packet(kind, 0, OK, program=QEMU),
            packet(kind, 0, OK, version=2),
        ]
        assert received(client, *data) == []
        assert client.stream_state(0) is streams.OPEN

    def test_stream_packet_for_a_plain_call_is_ignored(self) -> None:
        client = calling()
        assert received(client, packet(STREAM, 0, CONTINUE, b"x", procedure=INFO)) == []
        assert client.calls_pending == 1

    @pytest.mark.parametrize("make", [opening, streaming])
    def test_confirmation_of_nothing_ends_the_session(self, make: type[ClientSession]) -> None:
        assert_failed(make(), SequenceError, "confirmation", packet(STREAM, 0, OK))

    @pytest.mark.parametrize("status", [3, -1])
    @pytest.mark.parametrize("kind", [STREAM, HOLE])
    def test_impossible_status_ends_the_session(self, kind: int, status: int) -> None:
        assert_failed(streaming(), SequenceError, f"status {status}", packet(kind, 0, status))

    def test_second_ok_reply_ends_the_session(self) -> None:
        assert_failed(streaming(), SequenceError, "which is open", packet(REPLY, 0, OK))

    @pytest.mark.parametrize("kind", [STREAM, REPLY])
    def test_error_kills_the_stream(self, kind: int) -> None:
        """As a stream packet, or as the REPLY that libvirtd writes when a hole fails."""
        client = streaming()
        assert received(client, packet(kind, 0, ERROR, b"broken")) == [StreamFailed(0, b"broken")]
        assert client.stream_state(0) is streams.FAILED
        for send in (client.send_stream_finish, client.send_stream_abort):
            with pytest.raises(UsageError, match="which is failed"):
                send(0)
        with pytest.raises(UsageError, match="which is failed"):
            client.send_stream_data(0, b"x")
        assert sent(client) == b""
        leftovers = [
            packet(STREAM, 0, CONTINUE, b"late"),
            packet(REPLY, 0, ERROR, b"again"),
            packet(STREAM, 0, ERROR, b"again"),
            packet(STREAM, 0, OK),
        ]
        assert received(client, *leftovers) == []
        assert client.phase is CONNECTED

    @pytest.mark.parametrize("kind", [STREAM, REPLY])
    def test_failure_instead_of_a_confirmation(self, kind: int) -> None:
        client = streaming()
        client.send_stream_finish(0)
        events = received(client, packet(kind, 0, ERROR, b"late write"), packet(STREAM, 0, OK))
        assert events == [StreamFailed(0, b"late write")]

    @pytest.mark.parametrize("end", ["finish", "abort"])
    def test_data_before_the_confirmation_is_discarded(self, end: str) -> None:
        client = streaming()
        getattr(client, f"send_stream_{end}")(0)
        assert sent(client) == packet(STREAM, 0, OK if end == "finish" else ERROR)
        events = received(
            client,
            packet(STREAM, 0, CONTINUE, b"in flight"),
            packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE),
            packet(STREAM, 0, CONTINUE),
            packet(STREAM, 0, OK),
            packet(STREAM, 0, OK),
        )
        assert events == [StreamFinished(0)]
        with pytest.raises(UsageError, match="not open"):
            client.send_stream_finish(0)

    @pytest.mark.parametrize("payload", [b"", TEN_BYTES_HOLE[:-1], b"\xff" * 12])
    def test_hole_that_is_none_ends_the_session(self, payload: bytes) -> None:
        assert_failed(streaming(), DecodeError, "", packet(HOLE, 0, CONTINUE, payload))

    def test_failed_streams_are_forgotten_some_day(self) -> None:
        client = ClientSession()
        extra = 10
        for serial in range(FAILED_STREAMS_KEPT + extra):
            assert client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True) == serial
            client.data_to_send()
            received(client, packet(REPLY, serial, OK), packet(STREAM, serial, ERROR))
        states = [client.stream_state(serial) for serial in range(FAILED_STREAMS_KEPT + extra)]
        assert states[:extra] == [streams.CLOSED] * extra
        assert states[extra:] == [streams.FAILED] * FAILED_STREAMS_KEPT


class TestStreamsFromTheClient:
    """What may be sent on a stream."""

    def test_upload(self) -> None:
        client = streaming()
        client.send_stream_data(0, b"data")
        client.send_stream_hole(0, 10)
        client.send_stream_finish(0)
        assert sent(client) == (
            packet(STREAM, 0, CONTINUE, b"data")
            + packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE)
            + packet(STREAM, 0, OK)
        )

    def test_nothing_before_the_reply(self) -> None:
        client = opening()
        wishes: list[Callable[[], None]] = [
            lambda: client.send_stream_data(0, b"x"),
            lambda: client.send_stream_hole(0, 1),
            lambda: client.send_stream_finish(0),
            lambda: client.send_stream_abort(0),
        ]
        for wish in wishes:
            with pytest.raises(UsageError, match="which is opening"):
                wish()
        assert sent(client) == b""

    @pytest.mark.parametrize("first", ["finish", "abort"])
    @pytest.mark.parametrize("second", ["finish", "abort"])
    def test_only_one_end(self, first: str, second: str) -> None:
        client = streaming()
        getattr(client, f"send_stream_{first}")(0)
        sent(client)
        with pytest.raises(UsageError, match=f"{second} on the stream with serial 0"):
            getattr(client, f"send_stream_{second}")(0)
        with pytest.raises(UsageError):
            client.send_stream_data(0, b"x")
        assert sent(client) == b""

    def test_no_such_stream(self) -> None:
        with pytest.raises(UsageError, match="serial 3, which is not open"):
            ClientSession().send_stream_data(3, b"x")

    @pytest.mark.parametrize(("length", "flags"), [(-1, 0), (1 << 63, 0), (1, -1), (1, 1 << 32)])
    def test_impossible_hole(self, length: int, flags: int) -> None:
        client = streaming()
        with pytest.raises((UsageError, EncodeError)):
            client.send_stream_hole(0, length, flags)
        assert sent(client) == b""

    def test_too_much_data_leaves_the_stream_as_it_is(self) -> None:
        client = streaming()
        with pytest.raises(EncodeError, match="the limit is 33554408"):
            client.send_stream_data(0, bytes(PAYLOAD_MAX + 1))
        assert sent(client) == b""
        assert client.stream_state(0) is streams.OPEN

    def test_large_data_is_not_copied(self) -> None:
        client = streaming()
        data = bytes(100_000)
        client.send_stream_data(0, data)
        [header, chunk] = client.data_to_send()
        assert chunk is data
        assert header + chunk == packet(STREAM, 0, CONTINUE, data)


class TestAbandonedOpening:
    """A stream that nobody wants any more before its opening call is answered."""

    def abandoned(self) -> ClientSession:
        client = opening()
        assert client.abandon_call(0)
        return client

    def test_it_is_aborted_once_open(self) -> None:
        client = self.abandoned()
        assert received(client, packet(STREAM, 0, CONTINUE, b"x"), packet(REPLY, 0, OK)) == []
        assert sent(client) == packet(STREAM, 0, ERROR)
        leftovers = [packet(STREAM, 0, CONTINUE, b"x"), packet(STREAM, 0, OK)]
        assert received(client, *leftovers) == []
        assert client.stream_state(0) is streams.CLOSED

    @pytest.mark.parametrize("kind", [STREAM, REPLY])
    def test_the_abort_may_fail(self, kind: int) -> None:
        client = self.abandoned()
        received(client, packet(REPLY, 0, OK))
        assert received(client, packet(kind, 0, ERROR, b"broken")) == []
        assert client.phase is CONNECTED

    def test_nothing_to_abort_after_an_error_reply(self) -> None:
        client = self.abandoned()
        assert received(client, packet(REPLY, 0, ERROR)) == []
        assert sent(client) == b""
        assert client.stream_state(0) is streams.CLOSED

    @pytest.mark.parametrize("status", [OK, ERROR])
    def test_nothing_to_abort_after_a_stream_error(self, status: int) -> None:
        client = self.abandoned()
        data = [packet(STREAM, 0, ERROR), packet(REPLY, 0, status)]
        assert received(client, *data) == []
        assert sent(client) == b""

    def test_failed_before_it_was_abandoned(self) -> None:
        client = opening()
        assert received(client, packet(STREAM, 0, ERROR)) == [StreamFailed(0, b"")]
        assert client.abandon_call(0)
        assert received(client, packet(REPLY, 0, OK)) == []
        assert sent(client) == b""


class TestCalls:
    """What can be called."""

    def test_large_arguments_are_not_copied(self) -> None:
        client = ClientSession()
        args = bytes(100_000)
        client.send_call(REMOTE, 1, INFO, args)
        [header, chunk] = client.data_to_send()
        assert chunk is args
        assert header + chunk == packet(CALL, 0, OK, args, procedure=INFO)

    def test_refused_call_uses_no_serial_up(self) -> None:
        client = ClientSession()
        with pytest.raises(EncodeError, match="limit is 33554408"):
            client.send_call(REMOTE, 1, INFO, bytes(PAYLOAD_MAX + 1))
        with pytest.raises(EncodeError, match="header word"):
            client.send_call(REMOTE, 1, 1 << 31, opens_stream=True)
        assert client.calls_pending == 0
        assert sent(client) == b""
        assert client.stream_state(0) is streams.CLOSED

    def test_serials_wrap_around_open_streams(self) -> None:
        client = streaming()
        client._calls._next = 0xFFFFFFFF
        assert client.send_call(REMOTE, 1, INFO) == 0xFFFFFFFF
        assert client.send_call(REMOTE, 1, INFO) == 1


class TestDescriptors:
    """Calls and replies with file descriptors."""

    def test_the_front_end_learns_where_they_go(self) -> None:
        client = ClientSession(fd_passing=True)
        for nfds in (0, 2, 0, 1, 0):
            client.send_call(REMOTE, 1, INFO, b"args", nfds=nfds)
        rounds = []
        while chunks := client.data_to_send():
            rounds.append((b"".join(chunks), client.fds_due))
        plain = [packet(CALL, serial, OK, b"args", procedure=INFO) for serial in (0, 2, 4)]
        assert rounds == [
            (plain[0] + packet(CALL_FDS, 1, OK, b"args", procedure=INFO, nfds=2), 2),
            (plain[1] + packet(CALL_FDS, 3, OK, b"args", procedure=INFO, nfds=1), 1),
            (plain[2], 0),
        ]
        assert client.fds_due == 0

    def test_not_without_a_unix_socket(self) -> None:
        client = ClientSession()
        with pytest.raises(UsageError, match="cannot carry descriptors"):
            client.send_call(REMOTE, 1, INFO, nfds=1)
        assert sent(client) == b""
        assert client.calls_pending == 0

    @pytest.mark.parametrize("nfds", [33, -1])
    def test_no_more_than_the_limit(self, nfds: int) -> None:
        client = ClientSession(fd_passing=True)
        with pytest.raises(EncodeError, match="the limit is 32"):
            client.send_call(REMOTE, 1, INFO, nfds=nfds)
        assert client.calls_pending == 0

    def test_reply_follows_its_descriptors(self) -> None:
        client = ClientSession(fd_passing=True)
        client.send_call(REMOTE, 1, INFO)
        reply = packet(REPLY_FDS, 0, OK, b"ret", procedure=INFO, nfds=2)
        assert client.receive_reply(0, reply) is None
        assert client.events_received() == []
        assert client.fds_expected == client.bytes_wanted == 2
        assert received(client, b"\0\0") == [ReplyReceived(0, OK, b"ret", 2)]
        assert client.fds_expected == 0

    def test_nobodys_descriptors_are_reported(self) -> None:
        client = ClientSession(fd_passing=True)
        client.abandon_call(client.send_call(REMOTE, 1, INFO))
        client.send_call(REMOTE, 1, INFO)
        abandoned, failed, more = received(
            client,
            packet(REPLY_FDS, 0, OK, procedure=INFO, nfds=1) + b"\0",
            packet(REPLY_FDS, 1, CONTINUE, procedure=INFO, nfds=3) + b"\0\0\0",
        )
        assert abandoned == FdsUnclaimed(1)
        assert isinstance(failed, CallFailed)
        assert more == FdsUnclaimed(3)

    def test_descriptors_where_none_can_be(self) -> None:
        reply = packet(REPLY_FDS, 0, OK, procedure=INFO, nfds=1)
        assert_failed(calling(), FramingError, "cannot carry any", reply)


kinds = st.sampled_from([*range(8), -1])
statuses = st.sampled_from([0, 1, 2, 3])
serials = st.integers(0, 5)


@st.composite
def odd_packets(draw: st.DrawFn) -> bytes:
    """A packet that means something, nothing, or too much."""
    return packet(
        draw(kinds),
        draw(serials),
        draw(statuses),
        draw(st.sampled_from([b"", b"\0\0\0\0", TEN_BYTES_HOLE]) | st.binary(max_size=40)),
        procedure=draw(st.sampled_from([INFO, DOWNLOAD, 318])),
        program=draw(st.sampled_from([REMOTE, QEMU, UNKNOWN, 0x6B656570])),
        version=draw(st.sampled_from([1, 1, 1, 2])),
    )


def busy() -> ClientSession:
    """Return a client with a bit of everything under way: serials 0 to 4."""
    client = ClientSession(fd_passing=True)
    client.send_call(REMOTE, 1, INFO)
    client.abandon_call(client.send_call(REMOTE, 1, INFO))
    client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True)
    client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True)
    client.receive_data(packet(REPLY, 3, OK))
    client.abandon_call(client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True))
    client.events_received()
    return client


@given(st.lists(odd_packets() | st.binary(max_size=60), max_size=12))
def test_nothing_that_arrives_raises(data: list[bytes]) -> None:
    client = busy()
    events: list[Event] = []
    for each in data:
        client.receive_data(each)
        events += client.events_received()
    client.receive_eof()
    events += client.events_received()
    ends = [event for event in events if isinstance(event, SessionFailed)]
    assert len(ends) == (client.phase is FAILED)
    assert len(events) <= sum(len(each) // 28 * 2 + 2 for each in data) + 2


@given(st.lists(odd_packets(), max_size=8), st.integers(1, 40))
def test_any_split_gives_the_same_events(data: list[bytes], size: int) -> None:
    whole = b"".join(data)
    client, other = busy(), busy()
    client.receive_data(whole)
    for at in range(0, len(whole), size):
        other.receive_data(whole[at : at + size])
    assert repr(client.events_received()) == repr(other.events_received())
    assert client.phase == other.phase
    assert sent(client) == sent(other)
