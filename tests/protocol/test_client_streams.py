"""What a client makes of stream packets in every state, and what it may send when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.protocol.peer_packets import (
    CONTINUE,
    DOWNLOAD,
    ERROR,
    HOLE,
    INFO,
    OK,
    QEMU,
    REMOTE,
    REPLY,
    STREAM,
    TEN_BYTES_HOLE,
    assert_failed,
    calling,
    opening,
    packet,
    received,
    sent,
    streaming,
)
from virtproto.errors import (
    DecodeError,
    EncodeError,
    SequenceError,
    UsageError,
)
from virtproto.protocol import streams
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    CallFailed,
    ReplyReceived,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinished,
    StreamHoleReceived,
)
from virtproto.protocol.limits import FAILED_STREAMS_KEPT, PAYLOAD_MAX
from virtproto.protocol.session import CONNECTED


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

    def test_hole_may_be_empty(self) -> None:
        events = received(streaming(), packet(HOLE, 0, CONTINUE, bytes(12)))
        assert events == [StreamHoleReceived(0, 0)]

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

    @pytest.mark.parametrize("wish", ["", "finish", "abort"])
    def test_second_ok_reply_ends_the_stream(self, wish: str) -> None:
        client = streaming()
        if wish:
            getattr(client, f"send_stream_{wish}")(0)
        (event,) = received(client, packet(REPLY, 0, OK))
        assert isinstance(event, StreamFailed)
        assert isinstance(event.error, SequenceError)
        assert received(client, packet(REPLY, 0, OK), packet(STREAM, 0, OK)) == []
        assert client.phase is CONNECTED

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
    def test_hole_that_is_none_ends_the_stream(self, payload: bytes) -> None:
        client = streaming()
        (event,) = received(client, packet(HOLE, 0, CONTINUE, payload))
        assert isinstance(event, StreamFailed)
        assert isinstance(event.error, DecodeError)
        assert client.data_to_send() == [packet(STREAM, 0, ERROR)]
        assert received(client, packet(STREAM, 0, CONTINUE, b"more"), packet(STREAM, 0, OK)) == [
            StreamFinished(0)
        ]
        assert client.phase is CONNECTED

    def test_hole_that_is_none_may_overtake_the_reply(self) -> None:
        client = opening()
        (event,) = received(client, packet(HOLE, 0, CONTINUE, b""))
        assert isinstance(event, StreamFailed)
        assert [type(each) for each in received(client, packet(REPLY, 0, OK))] == [ReplyReceived]
        assert client.stream_state(0) is streams.FAILED

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


def in_state(state: str) -> ClientSession:
    """Return a client whose stream 0 is in a state in which the server is not listened to."""
    client = opening()
    if state in (streams.FAILED_OPENING, streams.FAILED):
        received(client, packet(STREAM, 0, ERROR))
    if state in (streams.DISOWNED, streams.DISOWNED_FAILED, streams.DISOWNED_ABORTING):
        client.abandon_call(0)
    if state is streams.DISOWNED_FAILED:
        received(client, packet(STREAM, 0, ERROR))
    if state in (
        streams.FINISHING,
        streams.ABORTING,
        streams.FAILED,
        streams.DISOWNED_ABORTING,
    ):
        received(client, packet(REPLY, 0, OK))
    if state is streams.FINISHING:
        client.send_stream_finish(0)
    if state is streams.ABORTING:
        client.send_stream_abort(0)
    client.data_to_send()
    assert client.stream_state(0) is state
    return client


DEAF = [
    streams.FINISHING,
    streams.ABORTING,
    streams.FAILED,
    streams.FAILED_OPENING,
    streams.DISOWNED,
    streams.DISOWNED_FAILED,
    streams.DISOWNED_ABORTING,
]


@pytest.mark.parametrize("state", DEAF)
@pytest.mark.parametrize(
    "data",
    [
        packet(STREAM, 0, CONTINUE, b"late"),
        packet(STREAM, 0, CONTINUE),
        packet(HOLE, 0, CONTINUE, TEN_BYTES_HOLE),
    ],
    ids=["data", "end", "hole"],
)
def test_traffic_that_nobody_wants_is_discarded(state: str, data: bytes) -> None:
    client = in_state(state)
    assert received(client, data, data) == []
    assert sent(client) == b""
    assert client.stream_state(0) is state


@pytest.mark.parametrize("kind", [STREAM, REPLY])
@pytest.mark.parametrize("state", DEAF)
def test_error_is_reported_once_to_who_waits(state: str, kind: int) -> None:
    """Only who finishes or aborts waits; the reply to the opening call is another matter."""
    client = in_state(state)
    events = received(client, packet(kind, 0, ERROR, b"error"))
    if state in (streams.FINISHING, streams.ABORTING):
        assert events == [StreamFailed(0, b"error")]
    elif state is streams.FAILED_OPENING and kind == REPLY:
        assert events == [ReplyReceived(0, ERROR, b"error")]
    else:
        assert events == []
    assert sent(client) == b""
    assert client.phase is CONNECTED


@pytest.mark.parametrize("state", [streams.FAILED_OPENING, streams.DISOWNED_FAILED])
def test_second_error_before_the_reply(state: str) -> None:
    client = in_state(state)
    assert received(client, packet(STREAM, 0, ERROR), packet(STREAM, 0, ERROR)) == []
    assert client.stream_state(0) is state
