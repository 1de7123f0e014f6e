"""Long calls: only so many with the daemon at a time, the others in order, none lost.

Urgent ones go first, and one of them may be with the daemon beyond the long ones.
"""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.protocol.peer_packets import (
    CALL,
    CALL_FDS,
    CONTINUE,
    DOWNLOAD,
    ERROR,
    INFO,
    MESSAGE,
    OK,
    REMOTE,
    REPLY,
    STREAM,
    packet,
    received,
    sent,
)
from virtproto.errors import ConnectionClosedError, EncodeError, SequenceError, UsageError
from virtproto.protocol import streams
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import CallFailed, ReplyReceived, SessionFailed
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.protocol.limits import LONG_CALLS, PAYLOAD_MAX
from virtproto.protocol.session import FAILED


def full(limit: int = 1, *, fd_passing: bool = False) -> ClientSession:
    """Return a client whose daemon works on as many long calls as it is given."""
    client = ClientSession(long_calls=limit, fd_passing=fd_passing)
    for _ in range(limit):
        assert not client.is_held(client.send_call(REMOTE, 1, INFO, long=True))
    client.data_to_send()
    return client


def reply(serial: int, procedure: int = INFO, status: int = OK) -> bytes:
    return packet(REPLY, serial, status, procedure=procedure)


class TestHolding:
    """What is held and what passes."""

    def test_the_usual_limit_leaves_the_daemon_one_packet_to_read(self) -> None:
        client = ClientSession()
        assert client.long_calls == LONG_CALLS == 4
        serials = [client.send_call(REMOTE, 1, INFO, long=True) for _ in range(6)]
        assert serials == [0, 1, 2, 3, 4, 5]
        assert [client.is_held(serial) for serial in serials] == [False] * 4 + [True] * 2
        assert sent(client) == b"".join(packet(CALL, n, OK, procedure=INFO) for n in range(4))
        assert (client.calls_pending, client.calls_held) == (4, 2)

    def test_short_calls_pass(self) -> None:
        client = full()
        held = client.send_call(REMOTE, 1, INFO, long=True)
        short = client.send_call(REMOTE, 1, 10)
        assert sent(client) == packet(CALL, short, OK, procedure=10)
        assert received(client, reply(short, 10)) == [ReplyReceived(short, OK, b"")]
        # What a short call's reply makes room for is no long call.
        assert client.is_held(held)
        assert sent(client) == b""

    def test_no_limit(self) -> None:
        client = ClientSession(long_calls=None)
        for _ in range(100):
            assert not client.is_held(client.send_call(REMOTE, 1, INFO, long=True))
        assert len(client.data_to_send()) == 100

    @pytest.mark.parametrize("limit", [0, -1])
    def test_limits_that_make_no_sense(self, limit: int) -> None:
        with pytest.raises(UsageError, match="long_calls: it must be at least 1"):
            ClientSession(long_calls=limit)
        client = ClientSession()
        with pytest.raises(UsageError, match="long_calls"):
            client.long_calls = limit
        assert client.long_calls == 4

    def test_a_call_that_cannot_be_packed_takes_no_turn(self) -> None:
        client = ClientSession(long_calls=1)
        with pytest.raises(EncodeError):
            client.send_call(REMOTE, 1, INFO, bytes(PAYLOAD_MAX + 1), long=True)
        assert not client.is_held(client.send_call(REMOTE, 1, INFO, long=True))
        with pytest.raises(EncodeError):
            client.send_call(REMOTE, 1, INFO, bytes(PAYLOAD_MAX + 1), long=True)
        assert client.calls_held == 0

    def test_serials_of_held_calls_are_not_given_out_again(self) -> None:
        client = ClientSession(long_calls=1, first_serial=0xFFFFFFFE)
        assert client.send_call(REMOTE, 1, INFO, long=True) == 0xFFFFFFFE
        assert client.send_call(REMOTE, 1, INFO, long=True) == 0xFFFFFFFF
        client._calls._next = 0xFFFFFFFE
        assert client.send_call(REMOTE, 1, INFO, long=True) == 0

    def test_large_arguments_are_not_copied(self) -> None:
        client = full()
        args = bytes(100000)
        client.send_call(REMOTE, 1, INFO, args, long=True)
        received(client, reply(0))
        assert client.data_to_send()[1] is args


class TestUrgent:
    """Calls that go before long ones, and of which one passes the limit."""

    def test_one_passes_the_limit(self) -> None:
        client = full(4)
        urgent, next_one = (client.send_call(REMOTE, 1, 20, urgent=True) for _ in range(2))
        assert sent(client) == packet(CALL, urgent, OK, procedure=20)
        assert [client.is_held(serial) for serial in (urgent, next_one)] == [False, True]
        received(client, reply(urgent, 20))
        assert sent(client) == packet(CALL, next_one, OK, procedure=20)

    def test_they_go_before_long_ones_and_keep_their_order(self) -> None:
        client = full()
        last = client.send_call(REMOTE, 1, 17, long=True)
        first, second, third = (client.send_call(REMOTE, 1, n, urgent=True) for n in (1, 2, 3))
        assert sent(client) == packet(CALL, first, OK, procedure=1)
        for done, next_one in ((0, second), (first, third)):
            received(client, reply(done, done))
            assert sent(client) == packet(CALL, next_one, OK, procedure=next_one - 1)
        # What is left is no more than the limit, so the long one has to wait for the last of them.
        received(client, reply(second, 2))
        assert sent(client) == b""
        received(client, reply(third, 3))
        assert sent(client) == packet(CALL, last, OK, procedure=17)

    def test_long_ones_find_no_room_where_urgent_ones_are(self) -> None:
        client = ClientSession(long_calls=2)
        for _ in range(2):
            assert not client.is_held(client.send_call(REMOTE, 1, INFO, urgent=True))
        assert client.is_held(client.send_call(REMOTE, 1, INFO, long=True))
        assert not client.is_held(client.send_call(REMOTE, 1, INFO, urgent=True))
        assert client.is_held(client.send_call(REMOTE, 1, INFO, urgent=True))

    def test_one_that_is_given_up_while_held_is_never_sent(self) -> None:
        client = full()
        first, second, third = (client.send_call(REMOTE, 1, n, urgent=True) for n in (1, 2, 3))
        client.data_to_send()
        assert client.abandon_call(second)
        received(client, reply(first, 1))
        assert sent(client) == packet(CALL, third, OK, procedure=3)

    def test_no_limit(self) -> None:
        client = ClientSession(long_calls=None)
        for _ in range(100):
            assert not client.is_held(client.send_call(REMOTE, 1, INFO, urgent=True))


class TestTurns:
    """What ends a long call, as far as the next one is concerned."""

    @pytest.mark.parametrize("status", [OK, ERROR])
    def test_an_answer(self, status: int) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, 17, b"abcd", long=True)
        assert received(client, reply(0, status=status)) == [ReplyReceived(0, status, b"")]
        assert sent(client) == packet(CALL, serial, OK, b"abcd", procedure=17)
        assert not client.is_held(serial)
        assert received(client, reply(serial, 17)) == [ReplyReceived(serial, OK, b"")]

    def test_an_answer_the_short_way(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, 17, long=True)
        assert client.receive_reply(0, reply(0)) == ReplyReceived(0, OK, b"")
        assert sent(client) == packet(CALL, serial, OK, procedure=17)

    def test_an_answer_that_makes_no_sense(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, 17, long=True)
        [event] = received(client, reply(0, procedure=99))
        assert isinstance(event, CallFailed)
        assert sent(client) == packet(CALL, serial, OK, procedure=17)

    def test_the_late_answer_to_a_call_that_was_given_up(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, 17, long=True)
        assert client.abandon_call(0)
        # The daemon works on it all the same.
        assert sent(client) == b""
        assert client.is_held(serial)
        assert received(client, reply(0)) == []
        assert sent(client) == packet(CALL, serial, OK, procedure=17)

    def test_a_held_call_that_is_given_up_is_never_sent(self) -> None:
        client = full()
        first, second, third = (client.send_call(REMOTE, 1, n, long=True) for n in (1, 2, 3))
        assert client.abandon_call(second)
        assert not client.abandon_call(second)
        assert not client.is_held(second)
        assert received(client, reply(0), reply(first, 1)) != []
        expected = packet(CALL, first, OK, procedure=1) + packet(CALL, third, OK, procedure=3)
        assert sent(client) == expected
        assert client.calls_abandoned == 0

    def test_an_answer_to_a_held_call_breaks_the_protocol(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, INFO, long=True)
        [event] = received(client, reply(serial))
        assert isinstance(event, SessionFailed)
        assert isinstance(event.error, SequenceError)
        assert client.phase is FAILED

    def test_a_higher_limit_lets_calls_go_and_a_lower_one_waits(self) -> None:
        client = full(2)
        for number in range(5):
            client.send_call(REMOTE, 1, number, long=True)
        client.long_calls = 3
        assert sent(client) == packet(CALL, 2, OK, procedure=0)
        client.long_calls = 1
        received(client, reply(0), reply(1))
        assert sent(client) == b""
        received(client, reply(2, 0))
        assert sent(client) == packet(CALL, 3, OK, procedure=1)
        client.long_calls = None
        assert len(client.data_to_send()) == 3
        assert client.calls_held == 0


class TestStreams:
    """Calls that open streams are long until they are answered."""

    def test_the_opening_call_counts_while_it_is_unanswered(self) -> None:
        client = ClientSession(long_calls=1)
        client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True, long=True)
        waiting = client.send_call(REMOTE, 1, INFO, long=True)
        client.data_to_send()
        assert client.is_held(waiting)
        received(client, packet(REPLY, 0, OK))
        assert client.stream_state(0) is streams.OPEN
        assert sent(client) == packet(CALL, waiting, OK, procedure=INFO)

    def test_a_held_one_has_its_stream_when_it_is_sent(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True, long=True)
        assert client.stream_state(serial) is streams.CLOSED
        # Nothing can come for it, and nothing be sent.
        assert received(client, packet(STREAM, serial, CONTINUE, b"data")) == []
        with pytest.raises(UsageError, match="not open"):
            client.send_stream_data(serial, b"data")
        received(client, reply(0))
        assert client.stream_state(serial) is streams.OPENING
        assert sent(client) == packet(CALL, serial, OK)

    def test_a_held_one_that_is_given_up_leaves_nothing(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True, long=True)
        assert client.abandon_call(serial)
        received(client, reply(0))
        assert sent(client) == b""
        assert client.stream_state(serial) is streams.CLOSED

    def test_one_that_was_given_up_counts_until_its_reply(self) -> None:
        client = ClientSession(long_calls=1)
        client.send_call(REMOTE, 1, DOWNLOAD, opens_stream=True, long=True)
        waiting = client.send_call(REMOTE, 1, INFO, long=True)
        client.data_to_send()
        client.abandon_call(0)
        assert received(client, packet(REPLY, 0, OK)) == []
        abort = packet(STREAM, 0, ERROR)
        assert sorted(client.data_to_send()) == sorted(
            [packet(CALL, waiting, OK, procedure=INFO), abort]
        )


class TestDescriptors:
    """The descriptors of a call go with its packet."""

    def test_they_are_due_when_the_packet_is_sent(self) -> None:
        client = full(fd_passing=True)
        held = client.send_call(REMOTE, 1, 17, nfds=2, long=True)
        short = client.send_call(REMOTE, 1, 18)
        assert sent(client) == packet(CALL, short, OK, procedure=18)
        assert client.fds_due == 0
        received(client, reply(0))
        last = client.send_call(REMOTE, 1, 19)
        assert sent(client) == packet(CALL_FDS, held, OK, procedure=17, nfds=2)
        assert client.fds_due == 2
        assert sent(client) == packet(CALL, last, OK, procedure=19)
        assert client.fds_due == 0


class TestEnds:
    """What is held when the connection ends was never sent, and never will be."""

    def test_close(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, INFO, bytes(1000), long=True)
        client.close()
        assert client.is_held(serial)
        client.long_calls = None
        assert sent(client) == b""
        assert client.abandon_call(serial)
        assert not client.is_held(serial)

    def test_failure(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, INFO, long=True)
        # The reply lets it go, and the next packet ends it all.
        received(client, reply(0) + packet(REPLY, 99, OK))
        assert sent(client) == b""
        assert not client.is_held(serial)
        with pytest.raises(ConnectionClosedError):
            client.send_call(REMOTE, 1, INFO, long=True)

    def test_failure_before_the_turn(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, INFO, long=True)
        received(client, packet(MESSAGE, 1, OK, program=0x12341234))
        client.long_calls = None
        assert client.is_held(serial)
        assert sent(client) == b""

    def test_end_of_input(self) -> None:
        client = full()
        serial = client.send_call(REMOTE, 1, INFO, long=True)
        client.receive_eof()
        client.long_calls = None
        assert client.is_held(serial)
        assert sent(client) == b""


class Conversation(RuleBasedStateMachine):
    """A client, a daemon that answers in any order, and what either may do between."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.client = ClientSession(long_calls=2, fd_passing=True)
        self.wire = PacketReader(fd_passing=True)
        # By serial: procedure of the calls that the daemon has, and of those that are not sent.
        self.with_daemon: dict[int, int] = {}
        self.long: set[int] = set()
        self.urgent: set[int] = set()
        self.expected: dict[str, deque[tuple[int, int]]] = {"long": deque(), "urgent": deque()}
        self.waited_for: set[int] = set()
        self.nfds: dict[int, int] = {}
        self.number = 0

    @rule(
        target=calls,
        kind=st.sampled_from(["short", "long", "urgent"]),
        opens_stream=st.booleans(),
        nfds=st.sampled_from([0, 0, 1, 3]),
        size=st.sampled_from([0, 8, 20000]),
    )
    def call(self, kind: str, opens_stream: bool, nfds: int, size: int) -> int:
        self.number += 1
        serial = self.client.send_call(
            REMOTE,
            1,
            self.number,
            bytes(size),
            opens_stream=opens_stream,
            nfds=nfds,
            long=kind == "long",
            urgent=kind == "urgent",
        )
        self.waited_for.add(serial)
        self.nfds[serial] = nfds
        if kind != "short":
            (self.long if kind == "long" else self.urgent).add(serial)
        if self.client.is_held(serial):
            self.expected[kind].append((serial, self.number))
        return serial

    @rule(serial=calls)
    def give_up(self, serial: int) -> None:
        held = self.client.is_held(serial)
        assert self.client.abandon_call(serial) is (serial in self.waited_for)
        self.waited_for.discard(serial)
        if held:
            for kind, calls in self.expected.items():
                self.expected[kind] = deque(each for each in calls if each[0] != serial)
            self.long.discard(serial)
            self.urgent.discard(serial)

    @rule(limit=st.sampled_from([1, 2, 4, None]))
    def change_limit(self, limit: int | None) -> None:
        self.take_in()
        self.client.long_calls = limit

    @rule(serial=consumes(calls), short_way=st.booleans(), odd=st.booleans())
    def answer(self, serial: int, short_way: bool, odd: bool) -> None:
        self.take_in()
        procedure = self.with_daemon.pop(serial, None)
        if procedure is None:
            return
        self.long.discard(serial)
        self.urgent.discard(serial)
        data = reply(serial, procedure + odd, ERROR)
        answered = self.client.receive_reply(serial, data) if short_way else None
        if answered is None:
            if not short_way:
                self.client.receive_data(data)
            events = self.client.events_received()
            if serial not in self.waited_for:
                assert events == []
                return
            [answered] = events  # type: ignore[assignment]
        assert answered.serial == serial  # type: ignore[union-attr]
        assert isinstance(answered, CallFailed if odd else ReplyReceived)
        self.waited_for.discard(serial)

    def take_in(self) -> None:
        """Have the daemon read all that is sent, and see that it is in order."""
        before = {serial for calls in self.expected.values() for serial, _ in calls}
        while chunks := self.client.data_to_send():
            due = self.client.fds_due
            # Each descriptor rides on a byte of its own.
            self.wire.feed(b"".join(chunks) + bytes(due))
            last: Packet | None = None
            while (came := self.wire.next_packet()) is not None:
                last = came
                assert came.serial not in self.with_daemon
                self.with_daemon[came.serial] = came.procedure
                if came.serial in before:
                    # First come, first served, but for urgent ones.
                    turn = self.expected["urgent"] or self.expected["long"]
                    assert turn.popleft() == (came.serial, came.procedure)
            assert last is not None
            assert due == self.nfds[last.serial]
            assert self.wire.error is None

    @invariant()
    def never_more_than_the_limit(self) -> None:
        limit = self.client.long_calls
        long_before, before = self.under_way()
        self.take_in()
        long_now, now = self.under_way()
        held = self.expected
        if limit is None:
            assert not any(held.values())
        else:
            # A limit that was lowered takes nothing back, and adds nothing.
            assert now <= max(limit + 1, before)
            assert long_now <= max(limit, long_before)
            if long_now > long_before:
                assert now <= limit
            assert not (held["long"] and now < limit)
            assert not (held["urgent"] and now <= limit)
        assert self.client.calls_held == sum(map(len, held.values()))

    def under_way(self) -> tuple[int, int]:
        """Return how many long calls, and long and urgent ones together, the daemon has."""
        long = len(self.long & self.with_daemon.keys())
        return long, long + len(self.urgent & self.with_daemon.keys())

    def teardown(self) -> None:
        """Nothing is lost: once all is answered, nothing is under way."""
        self.client.long_calls = None
        self.take_in()
        assert not any(self.expected.values())
        for serial, procedure in self.with_daemon.items():
            self.client.receive_data(reply(serial, procedure, ERROR))
        assert self.client.calls_pending == self.client.calls_abandoned == 0
        assert self.client.calls_held == 0


TestConversation = Conversation.TestCase
