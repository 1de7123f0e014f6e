"""A client and a server talking to each other, byte by byte if need be."""

from __future__ import annotations

import pytest

from virtproto.errors import EncodeError
from virtproto.protocol import streams
from virtproto.protocol.events import (
    CallReceived,
    Event,
    EventReceived,
    ReplyReceived,
    StreamAbortAsked,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinishAsked,
    StreamFinished,
    StreamHoleReceived,
)
from virtproto.protocol.server import pack_error
from virtproto.testing.pair import ConnectionPair

REMOTE = 0x20008086
INFO, UPLOAD, DOWNLOAD = 16, 208, 209


@pytest.fixture(params=[None, 1, 7])
def pair(request: pytest.FixtureRequest) -> ConnectionPair:
    """Return a pair that carries all at once, or in pieces."""
    return ConnectionPair(piece=request.param)


def the_call(events: list[Event]) -> CallReceived:
    """Return the one call among the events."""
    [call] = events
    assert isinstance(call, CallReceived)
    return call


def opened(pair: ConnectionPair, procedure: int, *, sparse: bool = False) -> int:
    """Return the serial of a stream that is open on both sides."""
    serial = pair.client.send_call(REMOTE, 1, procedure, opens_stream=True)
    call = the_call(pair.to_server())
    pair.server.open_stream(call, sparse=sparse)
    pair.server.send_reply(call, b"")
    assert pair.to_client() == [ReplyReceived(serial, 0, b"")]
    return serial


def test_call_and_reply(pair: ConnectionPair) -> None:
    serial = pair.client.send_call(REMOTE, 1, INFO, b"args")
    call = the_call(pair.to_server())
    assert call == CallReceived(serial, REMOTE, 1, INFO, b"args")
    pair.server.send_reply(call, b"ret!")
    assert pair.to_client() == [ReplyReceived(serial, 0, b"ret!")]
    assert (len(pair.client_sent), len(pair.server_sent)) == (32, 32)


def test_replies_in_any_order(pair: ConnectionPair) -> None:
    serials = [pair.client.send_call(REMOTE, 1, INFO) for _ in range(5)]
    calls = pair.to_server()
    for call in reversed(calls):
        assert isinstance(call, CallReceived)
        pair.server.send_reply(call, b"")
    assert pair.to_client() == [ReplyReceived(serial, 0, b"") for serial in reversed(serials)]


def test_event_before_the_reply(pair: ConnectionPair) -> None:
    serial = pair.client.send_call(REMOTE, 1, INFO)
    call = the_call(pair.to_server())
    pair.server.send_event(REMOTE, 1, 318, b"event")
    pair.server.send_reply(call)
    assert pair.to_client() == [
        EventReceived(REMOTE, 318, b"event"),
        ReplyReceived(serial, 0, b""),
    ]


def test_pings_both_ways(pair: ConnectionPair) -> None:
    pair.client.enable_keepalive(5, 5, now=0)
    pair.server.enable_keepalive(5, 5, now=0)
    pair.client.tick(5)
    pair.server.tick(5)
    assert pair.pump() == ([], [])
    assert len(pair.client_sent) == len(pair.server_sent) == 2 * 28


def test_upload(pair: ConnectionPair) -> None:
    serial = opened(pair, UPLOAD, sparse=True)
    pair.client.send_stream_data(serial, b"some")
    pair.client.send_stream_hole(serial, 1 << 40)
    pair.client.send_stream_data(serial, b"more")
    pair.client.send_stream_finish(serial)
    assert pair.to_server() == [
        StreamDataReceived(serial, b"some"),
        StreamHoleReceived(serial, 1 << 40),
        StreamDataReceived(serial, b"more"),
        StreamFinishAsked(serial),
    ]
    pair.server.send_stream_confirm(serial)
    assert pair.to_client() == [StreamFinished(serial)]


def test_upload_whose_last_write_fails(pair: ConnectionPair) -> None:
    serial = opened(pair, UPLOAD)
    pair.client.send_stream_data(serial, b"some")
    pair.client.send_stream_finish(serial)
    pair.to_server()
    error = pack_error("No space left on device", code=38, int1=28)
    pair.server.send_stream_error(serial, error)
    assert pair.to_client() == [StreamFailed(serial, error)]


def test_download(pair: ConnectionPair) -> None:
    serial = opened(pair, DOWNLOAD)
    pair.server.send_stream_data(serial, b"x" * 1000)
    pair.server.send_stream_hole(serial, 5)
    pair.server.send_stream_end(serial)
    assert pair.to_client() == [
        StreamDataReceived(serial, b"x" * 1000),
        StreamHoleReceived(serial, 5),
        StreamEnded(serial),
    ]
    pair.client.send_stream_finish(serial)
    assert pair.to_server() == [StreamFinishAsked(serial)]
    pair.server.send_stream_confirm(serial)
    assert pair.to_client() == [StreamFinished(serial)]
    assert pair.client.stream_state(serial) is streams.CLOSED


def test_abort_crosses_data(pair: ConnectionPair) -> None:
    serial = opened(pair, DOWNLOAD)
    pair.client.send_stream_abort(serial)
    pair.server.send_stream_data(serial, b"in flight")
    assert pair.to_client() == []
    assert pair.to_server() == [StreamAbortAsked(serial)]
    pair.server.send_stream_confirm(serial)
    assert pair.to_client() == [StreamFinished(serial)]


def test_finish_crosses_an_error(pair: ConnectionPair) -> None:
    serial = opened(pair, UPLOAD)
    pair.server.send_stream_error(serial, b"error")
    pair.client.send_stream_finish(serial)
    assert pair.pump() == ([StreamFailed(serial, b"error")], [])


def test_hole_that_the_server_cannot_apply(pair: ConnectionPair) -> None:
    """libvirtd answers it with a REPLY, and the finish behind it too late to matter."""
    serial = opened(pair, UPLOAD, sparse=True)
    pair.client.send_stream_hole(serial, 5)
    pair.client.send_stream_finish(serial)
    pair.to_server()
    pair.server.send_error(CallReceived(serial, REMOTE, 1, UPLOAD), b"error")
    pair.server.send_stream_confirm(serial)
    assert pair.to_client() == [StreamFailed(serial, b"error")]


def test_data_before_the_reply(pair: ConnectionPair) -> None:
    serial = pair.client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True)
    call = the_call(pair.to_server())
    pair.server.open_stream(call)
    pair.server.send_stream_data(serial, b"early")
    pair.server.send_reply(call, b"")
    assert pair.to_client() == [
        StreamDataReceived(serial, b"early"),
        ReplyReceived(serial, 0, b""),
    ]


def test_abandoned_opening_ends_on_both_sides(pair: ConnectionPair) -> None:
    serial = pair.client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True)
    call = the_call(pair.to_server())
    pair.client.abandon_call(serial)
    pair.server.open_stream(call)
    pair.server.send_reply(call)
    assert pair.pump() == ([], [StreamAbortAsked(serial)])
    pair.server.send_stream_confirm(serial)
    assert pair.pump() == ([], [])
    assert pair.client.stream_state(serial) is streams.CLOSED


def test_several_streams_and_calls_at_once(pair: ConnectionPair) -> None:
    first, second = opened(pair, DOWNLOAD), opened(pair, DOWNLOAD)
    plain = pair.client.send_call(REMOTE, 1, INFO)
    call = the_call(pair.to_server())
    pair.server.send_stream_data(second, b"2")
    pair.server.send_reply(call)
    pair.server.send_stream_data(first, b"1")
    assert pair.to_client() == [
        StreamDataReceived(second, b"2"),
        ReplyReceived(plain, 0, b""),
        StreamDataReceived(first, b"1"),
    ]


def test_server_refuses_an_impossible_hole(pair: ConnectionPair) -> None:
    serial = opened(pair, DOWNLOAD)
    with pytest.raises(EncodeError):
        pair.server.send_stream_hole(serial, 1 << 63)
