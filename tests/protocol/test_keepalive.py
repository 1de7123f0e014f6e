"""Keepalive timelines, and pings answered whatever else goes on."""

from __future__ import annotations

import pytest

from tests.protocol.vectors import PING, PONG
from virtproto.errors import ConnectionLostError, UsageError
from virtproto.protocol import keepalive
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import SessionFailed
from virtproto.protocol.keepalive import PEER_DEAD, SEND_PING, WAIT, KeepAlive
from virtproto.protocol.server import ServerSession
from virtproto.protocol.session import FAILED


def test_packets_are_those_of_the_wire() -> None:
    assert keepalive.PING_PACKET == PING
    assert keepalive.PONG_PACKET == PONG


def test_silent_peer_with_the_servers_defaults() -> None:
    """Interval 5, count 5: pings at 5, 10, 15, 20, 25 s, the end at 30 s."""
    timer = KeepAlive(5, 5, now=0)
    for due in (5, 10, 15, 20, 25):
        assert timer.next_deadline() == due
        assert timer.tick(due - 0.001) is WAIT
        assert timer.tick(due) is SEND_PING
    assert timer.next_deadline() == 30
    assert timer.tick(30) is PEER_DEAD


def test_any_packet_starts_anew() -> None:
    timer = KeepAlive(5, 1, now=100)
    assert timer.tick(105) is SEND_PING
    timer.packet_received(109)
    assert timer.next_deadline() == 114
    assert timer.tick(114) is SEND_PING
    assert timer.tick(119) is PEER_DEAD


def test_count_zero_never_pings() -> None:
    timer = KeepAlive(2.5, 0, now=0)
    assert timer.tick(2.4) is WAIT
    assert timer.tick(2.5) is PEER_DEAD


def test_late_tick_counts_as_one() -> None:
    timer = KeepAlive(5, 2, now=0)
    assert timer.tick(1000) is SEND_PING
    assert timer.next_deadline() == 1005
    assert timer.tick(1004) is WAIT


@pytest.mark.parametrize(
    ("interval_s", "count"),
    [(0, 5), (-1, 5), (float("inf"), 5), (float("nan"), 5), (5, -1)],
)
def test_refuses_what_makes_no_sense(interval_s: float, count: int) -> None:
    with pytest.raises(UsageError, match="keepalive"):
        KeepAlive(interval_s, count, now=0)


class TestSession:
    """Keepalive as a session does it."""

    def test_off_by_default(self) -> None:
        client = ClientSession()
        assert client.next_deadline() is None
        client.tick(1e9)
        assert client.data_to_send() == []
        assert client.events_received() == []

    def test_silence_to_the_end(self) -> None:
        client = ClientSession()
        client.enable_keepalive(5, 2, now=0)
        client.send_call(0x20008086, 1, 16)
        client.data_to_send()
        for due in (5, 10):
            assert client.next_deadline() == due
            client.tick(due)
            assert client.data_to_send() == [PING]
        client.tick(15)
        [event] = client.events_received()
        assert isinstance(event, SessionFailed)
        assert isinstance(event.error, ConnectionLostError)
        assert "no packet from the peer in 15 s, 2 pings unanswered" in str(event.error)
        assert client.phase is FAILED
        assert client.next_deadline() is None
        client.tick(100)
        assert client.events_received() == []

    def test_pong_and_anything_else_reset(self) -> None:
        client = ClientSession()
        client.enable_keepalive(5, 1, now=0)
        client.tick(5)
        client.receive_data(PONG, 6)
        assert client.next_deadline() == 11
        client.receive_data(PING, 8)
        assert client.next_deadline() == 13

    def test_half_a_packet_is_no_packet(self) -> None:
        client = ClientSession()
        client.enable_keepalive(5, 1, now=0)
        client.receive_data(PONG[:-1], 4)
        assert client.next_deadline() == 5
        client.receive_data(PONG[-1:], 4.5)
        assert client.next_deadline() == 9.5

    def test_packet_without_a_time_counts_at_the_next_tick(self) -> None:
        client = ClientSession()
        client.enable_keepalive(5, 0, now=0)
        client.receive_data(PONG)
        client.tick(5)
        assert client.events_received() == []
        assert client.next_deadline() == 10
        client.tick(10)
        assert [type(event) for event in client.events_received()] == [SessionFailed]

    def test_turned_off_again(self) -> None:
        client = ClientSession()
        client.enable_keepalive(5, 1, now=0)
        client.enable_keepalive(0, 0, now=1)
        assert client.next_deadline() is None

    @pytest.mark.parametrize("interval_s", [float("nan"), float("inf")])
    def test_refuses_what_makes_no_sense(self, interval_s: float) -> None:
        with pytest.raises(UsageError):
            ClientSession().enable_keepalive(interval_s, 5, now=0)

    def test_server_pings_too(self) -> None:
        server = ServerSession()
        server.enable_keepalive(5, 5, now=0)
        server.tick(5)
        assert server.data_to_send() == [PING]

    def test_pings_are_answered_while_calls_and_streams_go_on(self) -> None:
        client = ClientSession()
        client.send_call(0x20008086, 1, 209, opens_stream=True)
        client.abandon_call(client.send_call(0x20008086, 1, 16))
        client.data_to_send()
        client.receive_data(PING + PING)
        assert client.data_to_send() == [PONG, PONG]

    def test_unknown_procedure_is_swallowed(self) -> None:
        client = ClientSession()
        client.receive_data(PING[:12] + b"\0\0\0\3" + PING[16:])
        assert client.data_to_send() == []
        assert client.events_received() == []
