"""What a client makes of replies and events, ordinary and odd, and what it may call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.peer_packets import (
    CALL,
    CALL_FDS,
    CONTINUE,
    DOWNLOAD,
    ERROR,
    INFO,
    MESSAGE,
    OK,
    QEMU,
    REMOTE,
    REPLY,
    REPLY_FDS,
    TEN_BYTES_HOLE,
    UNKNOWN,
    assert_failed,
    calling,
    packet,
    received,
    sent,
    streaming,
)
from virtproto.errors import (
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
)
from virtproto.protocol.limits import PAYLOAD_MAX
from virtproto.protocol.session import CONNECTED, FAILED


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
        assert client.receive_reply(0, self.reply, now=3) == ReplyReceived(0, OK, b"result")
        assert client.next_deadline() == 8


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

    def test_none_are_due_after_a_failure(self) -> None:
        client = ClientSession(fd_passing=True)
        client.send_call(REMOTE, 1, INFO, nfds=2)
        client.receive_data(bytes(28))
        assert client.data_to_send() == []
        assert client.fds_due == 0

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
