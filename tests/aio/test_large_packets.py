"""Large packets give the core what any other way of reading gives it, and do not come in pieces."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from virtproto.aio.large_packets import LargePackets
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import Event, SessionFailed, StreamDataReceived
from virtproto.protocol.framing import pack_packet
from virtproto.wire import remote
from virtproto.wire.rpc import (
    MESSAGE_STATUS_CONTINUE,
    MESSAGE_STATUS_OK,
    MESSAGE_TYPE_MESSAGE,
    MESSAGE_TYPE_REPLY,
    MESSAGE_TYPE_STREAM,
)

TARGET = (remote.PROGRAM, remote.VERSION, remote.STORAGE_VOL_DOWNLOAD.number)
SIZES = st.sampled_from(
    [1, 24, 28, 32, 65508, 65512, 65536, 262116, 262120, 524260, 524288, 1 << 20]
)


def session_with_stream() -> tuple[ClientSession, bytes]:
    """A session that asked for a stream, and the reply that it has not got yet."""
    session = ClientSession()
    serial = session.send_call(*TARGET, b"", opens_stream=True)
    reply = pack_packet(*TARGET, MESSAGE_TYPE_REPLY, serial, MESSAGE_STATUS_OK)
    return session, reply


def data_packet(size: int, byte: int) -> bytes:
    return pack_packet(
        *TARGET, MESSAGE_TYPE_STREAM, 0, MESSAGE_STATUS_CONTINUE, bytes([byte]) * size
    )


def event_packet() -> bytes:
    return pack_packet(*TARGET[:2], 1, MESSAGE_TYPE_MESSAGE, 1, MESSAGE_STATUS_OK, bytes(52))


def read_all(session: ClientSession, wire: bytes, cuts: list[int]) -> list[Event]:
    """Give ``wire`` to a session by way of the memory for large packets, ``cuts`` at a time."""
    large = LargePackets()
    events: list[Event] = []
    at = turn = 0
    while at < len(wire):
        room = large.room()
        assert len(room) > 0
        count = min(len(room), cuts[turn % len(cuts)], len(wire) - at)
        room[:count] = wire[at : at + count]
        at += count
        turn += 1
        if large.take(count, session, None):
            events += session.events_received()
    large.give_up(session)
    return events + session.events_received()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(SIZES, min_size=1, max_size=6),
    cuts=st.lists(st.sampled_from([27, 28, 52, 80, 4096, 36000, 65536, 1 << 20]), min_size=1),
)
def test_however_it_comes_the_core_hears_the_same(sizes: list[int], cuts: list[int]) -> None:
    wire = b"".join(data_packet(size, 1 + number) for number, size in enumerate(sizes))
    wire = wire + event_packet() + event_packet() + wire
    session, reply = session_with_stream()
    session.receive_data(reply + wire)
    expected = session.events_received()
    other, reply = session_with_stream()
    assert read_all(other, reply + wire, cuts) == expected
    assert other.bytes_wanted == session.bytes_wanted


def test_nothing_is_said_before_a_packet_is_there() -> None:
    session, reply = session_with_stream()
    session.receive_data(reply)
    session.events_received()
    large = LargePackets()
    wire = data_packet(262120, 7)
    given = [wire[start : start + 36000] for start in range(0, len(wire), 36000)]
    heard = []
    for piece in given:
        large.room()[: len(piece)] = piece
        large.take(len(piece), session, None)
        heard.append(len(session.events_received()))
    assert heard == [0] * (len(given) - 1) + [1]
    assert large.is_empty


def test_the_beginning_of_a_packet_is_not_lost_when_reading_goes_on_elsewhere() -> None:
    session, reply = session_with_stream()
    session.receive_data(reply)
    session.events_received()
    wire = data_packet(262120, 7)
    large = LargePackets()
    large.room()[:100000] = wire[:100000]
    large.take(100000, session, None)
    large.give_up(session)
    assert large.is_empty
    session.receive_data(wire[100000:])
    assert session.events_received() == [StreamDataReceived(0, bytes([7]) * 262120)]


def test_what_is_no_packet_ends_the_session_once() -> None:
    session, reply = session_with_stream()
    events = read_all(session, reply + b"\xff" * 300000, [36000])
    assert [type(event) for event in events[1:]] == [SessionFailed]
