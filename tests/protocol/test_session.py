"""Phases, the end of input, and what both roles do alike."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from tests.protocol.vectors import PING
from virtproto.errors import ConnectionClosedError
from virtproto.protocol import session as session_module
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import PeerClosed, SessionFailed
from virtproto.protocol.framing import pack_header, pack_packet
from virtproto.protocol.limits import PAYLOAD_MAX
from virtproto.protocol.server import ServerSession
from virtproto.protocol.session import CLOSED, CONNECTED, FAILED, PEER_CLOSED, Session

REMOTE = 0x20008086
ROLES = [ClientSession, ServerSession]
Role = type[ClientSession] | type[ServerSession]


@pytest.mark.parametrize("role", ROLES)
class TestBothRoles:
    """The four verbs."""

    def test_fresh(self, role: Role) -> None:
        session = role()
        assert session.phase is CONNECTED
        assert session.events_received() == []
        assert session.data_to_send() == []
        assert session.bytes_wanted == 28
        assert session.fds_expected == session.fds_due == 0

    def test_end_of_input(self, role: Role) -> None:
        session = role()
        session.receive_eof()
        session.receive_eof()
        assert session.events_received() == [PeerClosed(0)]
        assert session.phase is PEER_CLOSED
        session.receive_data(PING)
        assert session.data_to_send() == []
        assert session.events_received() == []

    @pytest.mark.parametrize("held", [1, 4, 27])
    def test_end_of_input_within_a_packet(self, role: Role, held: int) -> None:
        session = role()
        session.receive_data(PING + PING[:held])
        assert session.bytes_wanted == 28 - held
        session.receive_eof()
        assert session.events_received() == [PeerClosed(held)]

    def test_end_of_input_after_a_failure_is_no_news(self, role: Role) -> None:
        session = role()
        session.receive_data(bytes(28))
        session.receive_eof()
        [event] = session.events_received()
        assert isinstance(event, SessionFailed)
        assert session.phase is FAILED
        assert session.bytes_wanted == 0

    @pytest.mark.parametrize("end", ["failure", "eof", "close"])
    def test_nothing_is_kept_of_what_comes_after_the_end(self, role: Role, end: str) -> None:
        session = role()
        if end == "failure":
            # Sound framing, but no packet for either role.
            session.receive_data(pack_packet(1, 1, 1, 99, 0, 0))
        elif end == "eof":
            session.receive_eof()
        else:
            session.close()
        session.events_received()
        piece = bytes(1 << 16)
        tracemalloc.start()
        try:
            session.receive_data(pack_header(REMOTE, 1, 1, 1, 0, 0, PAYLOAD_MAX))
            for _ in range(50):
                session.receive_data(bytearray(piece))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < len(piece)
        assert session.bytes_wanted == 0
        assert session.events_received() == []

    def test_failure_drops_what_was_to_be_sent(self, role: Role) -> None:
        session = role()
        session.receive_data(PING + bytes(28))
        assert session.data_to_send() == []

    def test_close(self, role: Role) -> None:
        session = role(fd_passing=True)
        session.receive_data(PING)
        session.receive_eof()
        session.close()
        session.close()
        assert session.phase is CLOSED
        assert session.data_to_send() == []
        session.receive_data(PING)
        session.receive_eof()
        session.receive_data(bytes(28))
        assert session.data_to_send() == []
        assert session.events_received() == []
        assert session.phase is CLOSED


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (lambda client: client.receive_eof(), "closed by the peer"),
        (lambda client: client.receive_data(bytes(28)), "failed"),
        (lambda client: client.close(), "closed"),
    ],
)
def test_nothing_can_be_sent_after_the_end(end: Callable[[ClientSession], None], text: str) -> None:
    client = ClientSession()
    end(client)
    with pytest.raises(ConnectionClosedError, match=f"the connection is {text}"):
        client.send_call(REMOTE, 1, 1)
    with pytest.raises(ConnectionClosedError):
        client.send_stream_data(0, b"")


def test_phases_only_go_forward() -> None:
    order = [CONNECTED, PEER_CLOSED, FAILED, CLOSED]
    for (phase, _), after in session_module._PHASES.items():
        assert order.index(after) > order.index(phase)


def test_the_core_is_lazy_and_complete() -> None:
    from virtproto import protocol

    for name in protocol.__all__:
        assert getattr(protocol, name).__name__ == name
        assert name in dir(protocol)
    with pytest.raises(AttributeError, match="no_such_thing"):
        protocol.no_such_thing  # noqa: B018
    assert issubclass(protocol.ClientSession, Session)
