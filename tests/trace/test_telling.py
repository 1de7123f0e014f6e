"""What records tell: messages in their places, beginnings, ends, and what is no packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trace.conversations import (
    STARTED_S,
    Script,
    eventful,
    listing,
    opening,
    packet,
    secretive,
    told,
    uploading,
)
from virtproto.protocol.limits import PACKET_MAX, PACKET_MIN
from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.message import TracedMessage
from virtproto.trace.recording import (
    BEGIN,
    BYTES,
    END,
    FROM_CLIENT,
    LEFT_OUT,
    MASKED,
    NOTE,
    PACKET,
    Record,
)
from virtproto.trace.telling import Begin, End, Note, Teller
from virtproto.wire import rpc


def test_conversation_is_told_in_its_order() -> None:
    found = listing().told()
    assert isinstance(found[0], Begin)
    assert found[0].about == {"program": "virsh", "to": "test:///default"}
    messages = [each for each in found if isinstance(each, TracedMessage)]
    assert [each.number for each in messages] == list(range(1, 13))
    assert messages[-1].procedure == "CONNECT_CLOSE"
    assert messages[-1].latency_s == pytest.approx(0.001, abs=1e-6)
    assert messages[0].time_s == pytest.approx(STARTED_S + 0.002)
    assert [(each.from_client, each.last) for each in found[-2:]] == [(True, False), (False, True)]


@pytest.mark.parametrize("script", [listing(), eventful(), uploading(), secretive("x y")])
def test_offsets_are_where_each_packet_begins_among_the_bytes_of_its_direction(
    script: Script,
) -> None:
    for message in script.messages():
        data = message.packet.pack()
        sent = script.sent[message.from_client]
        assert sent[message.offset : message.offset + len(data)] == data
        assert message.oddity is None


def test_carriers_of_descriptors_count_among_the_bytes() -> None:
    script = Script()
    kind = rpc.MESSAGE_TYPE_CALL_WITH_FDS
    script.send(packet(kind, "DOMAIN_CREATE_WITH_FILES", 1, nfds=3), from_client=True)
    script.send(packet(0, "CONNECT_CLOSE", 2), from_client=True)
    first, second = script.messages()
    assert (first.packet.nfds, first.size) == (3, PACKET_MIN + 4)
    assert second.offset == first.size + 3
    assert len(script.sent[True]) == second.offset + second.size


def test_unanswered_calls_are_told_once_and_when_no_reply_can_come() -> None:
    script = eventful()
    ends = [each for each in script.told() if isinstance(each, End)]
    assert [[call.procedure for call in end.unanswered] for end in ends] == [[], ["NODE_GET_INFO"]]
    assert (ends[0].text, ends[0].from_client) == ("the client closed", True)
    # The daemon goes first: nobody answers any more.
    script = Script()
    script.call("NODE_GET_INFO")
    script.end("gone", from_client=False).end()
    ends = [each for each in script.told() if isinstance(each, End)]
    assert [len(end.unanswered) for end in ends] == [1, 0]


def test_what_goes_on_when_nothing_more_is_heard_ends_then() -> None:
    script = Script(4)
    script.call("NODE_GET_INFO")
    last = script.told()[-1]
    assert isinstance(last, End)
    assert (last.conversation, last.last, len(last.unanswered)) == (4, True, 1)
    assert last.time_s == pytest.approx(STARTED_S + 0.001)
    assert [each for each in listing().told() if isinstance(each, End)][2:] == []


def test_late_answer_after_the_client_ended_still_finds_its_call() -> None:
    script = Script()
    serial = script.call("CONNECT_CLOSE")
    script.end().reply(serial).end(from_client=False)
    reply = script.messages()[-1]
    assert reply.latency_s is not None


def test_left_out_bytes_are_counted_and_no_oddity() -> None:
    script = opening(Script())
    volume = {"pool": "default", "name": "disk.img", "key": "/images/disk.img"}
    asked = {"vol": volume, "offset": 0, "length": 9000, "flags": 0}
    serial = script.call("STORAGE_VOL_UPLOAD", asked)
    script.reply(serial)
    whole = packet(3, "STORAGE_VOL_UPLOAD", serial, status=2, payload=bytes(9000)).pack()
    script.add(PACKET, whole[:PACKET_MIN], from_client=True, flags=LEFT_OUT)
    script.stream(serial, b"more")
    data, more = script.messages()[-2:]
    assert (data.kind, data.left_out, data.size, data.oddity) == (kinds.DATA, 9000, 9028, None)
    assert more.offset == data.offset + 9028


def test_masked_is_handed_on() -> None:
    body = packet(0, "CONNECT_CLOSE", 1).pack()
    (message,) = Script().add(PACKET, body, from_client=True, flags=MASKED).messages()
    assert message.masked


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\0\0\0\x14" + bytes(24), "at least 28"),
        (b"\x7f\0\0\0" + bytes(24), f"at most {PACKET_MAX}"),
        (b"\0\0\0\x40" + bytes(24), "36 are missing"),
        (b"\0\0\0\x1c" + bytes(28), "4 too many"),
    ],
)
def test_length_word_that_does_not_fit_is_odd(body: bytes, expected: str) -> None:
    (message,) = Script().add(PACKET, body).messages()
    assert message.oddity is not None
    assert expected in message.oddity


def test_too_many_descriptors_and_a_missing_count_are_odd() -> None:
    kind = rpc.MESSAGE_TYPE_CALL_WITH_FDS
    whole = packet(kind, "DOMAIN_CREATE_WITH_FILES", 1, nfds=3).pack()
    (message,) = Script().add(PACKET, whole[:-4] + b"\0\0\x01\0", from_client=True).messages()
    assert message.oddity == "256 descriptors, 32 are allowed"
    cut = packet(kind, "DOMAIN_CREATE_WITH_FILES", 1).pack()
    (message,) = Script().add(PACKET, cut, from_client=True).messages()
    assert message.oddity is not None
    assert "before their count" in message.oddity


def test_what_is_not_libvirts_is_told_with_its_place_and_never_quoted() -> None:
    script = opening(Script())
    before = len(script.sent[True])
    script.strange(b"\x16\x03\x01\x02\x00" + b"geheim" * 9).strange(b"SSH-2.0-geheim\r\n")
    tls, ssh = [each for each in script.told() if isinstance(each, Note)]
    assert (tls.offset, tls.size, tls.from_client, tls.damage) == (before, 59, True, True)
    assert tls.text == "59 bytes that are not libvirt's, but look like TLS (a handshake)"
    assert ssh.offset == before + 59
    assert "SSH" in ssh.text
    assert "geheim" not in tls.text + ssh.text + repr(tls) + repr(ssh)


def test_packet_whose_header_is_cut_is_told_as_bytes() -> None:
    (note,) = Script().add(PACKET, b"\0\0\0\x1c1234").told()
    assert isinstance(note, Note)
    assert (note.size, note.damage) == (8, True)
    assert "header is cut" in note.text


def test_notes_are_one_line() -> None:
    (note,) = Script().note("first\nsecond \x1b[31m \u00e9").told()
    assert note.text == "first\\nsecond \\x1b[31m \u00e9"
    assert (note.offset, note.from_client, note.damage) == (None, None, False)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1]", b"\xff", b"[" * 100_000])
def test_beginning_that_cannot_be_read_says_nothing(body: bytes) -> None:
    (begin,) = Script().add(BEGIN, body).told()
    assert begin.about == {}


def test_unknown_kind_of_record_is_told() -> None:
    (note,) = Script().add(99, b"x").told()
    assert (note.text, note.damage) == ("a record of kind 99, which is unknown", True)


def test_conversations_do_not_meet() -> None:
    one, two = Script(1), Script(2)
    first, second = one.call("CONNECT_CLOSE"), two.call("NODE_GET_INFO")
    assert first == second
    one.reply(first)
    mixed = [one.records[0], two.records[0], one.records[1]]
    found = told(mixed)
    assert found[2].call is found[0]
    assert isinstance(found[3], End)
    assert found[3].conversation == 2


def test_number_of_conversations_is_bounded() -> None:
    teller = Teller()
    body = packet(0, "NODE_GET_INFO", 1).pack()
    for number in range(20_000):
        teller.tell(Record(PACKET, FROM_CLIENT, number, 0.0, body))
    assert len(teller.finish()) == 16384


_RECORDS = st.builds(
    Record,
    st.sampled_from([BEGIN, PACKET, PACKET, PACKET, BYTES, END, NOTE, 0, 200]),
    st.integers(0, 255),
    st.integers(0, 2),
    st.floats(0, 1e9),
    st.binary(max_size=80)
    | st.builds(
        lambda program, procedure, kind, serial, status, rest: (
            (28 + len(rest)).to_bytes(4, "big")
            + program.to_bytes(4, "big")
            + b"\0\0\0\1"
            + procedure.to_bytes(4, "big")
            + kind.to_bytes(4, "big")
            + serial.to_bytes(4, "big")
            + status.to_bytes(4, "big")
            + rest
        ),
        st.sampled_from([0x20008086, 0x20008087, 0x6B656570, 0x6900690, 5]),
        st.integers(0, 460),
        st.integers(0, 7),
        st.integers(0, 3),
        st.integers(0, 3),
        st.binary(max_size=60),
    ),
)


@given(st.lists(_RECORDS, max_size=12))
def test_nothing_that_records_hold_is_an_error(records: list[Record]) -> None:
    for each in told(records):
        assert repr(each)
        if isinstance(each, TracedMessage):
            contents(each)
            contents(each, show_secrets=True, limit=1)


def test_calls_of_many_conversations_together_take_bounded_memory() -> None:
    """Each may be large, and a recording of a few bytes unpack to very many of them."""
    teller = Teller()
    large = packet(0, "NODE_GET_INFO", 1, payload=bytes(4 << 20)).pack()
    answer = packet(1, "NODE_GET_INFO", 1).pack()
    many = 64
    for number in range(1, many + 1):
        teller.tell(Record(PACKET, FROM_CLIENT, number, 0.0, large))
    known = []
    for number in range(1, many + 1):
        [message] = teller.tell(Record(PACKET, 0, number, 0.0, answer))
        assert isinstance(message, TracedMessage)
        known.append(message.call is not None)
    assert known[-1]
    assert not known[0]
    assert 4 <= sum(known) <= 32
    # Those that are answered take no room.
    for number in range(1, 2 * many):
        teller.tell(Record(PACKET, FROM_CLIENT, number, 0.0, large))
        [message] = teller.tell(Record(PACKET, 0, number, 0.0, answer))
        assert isinstance(message, TracedMessage)
        assert message.call is not None
    [message] = teller.tell(Record(PACKET, FROM_CLIENT, 1, 0.0, large))
    assert isinstance(message, TracedMessage)
    assert message.number > 1


def test_beginning_that_says_far_too_much_says_nothing() -> None:
    [begin] = Teller().tell(Record(BEGIN, 0, 1, 0.0, b'{"client":"%s"}' % bytes(b"x" * 70_000)))
    assert isinstance(begin, Begin)
    assert begin.about == {}
