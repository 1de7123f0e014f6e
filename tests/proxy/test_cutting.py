"""Bytes of one direction become records, however they are split."""

from __future__ import annotations

import random

import pytest

from virtproto.protocol.framing import pack_packet
from virtproto.protocol.limits import PACKET_MAX
from virtproto.proxy.cutting import Cutter
from virtproto.trace.reading.recordings import RecordReader
from virtproto.trace.recording import (
    BYTES,
    FROM_CLIENT,
    LEFT_OUT,
    NOTE,
    PACKET,
    Record,
    pack_head,
)

REMOTE = 0x20008086


def call(serial: int, payload: bytes = b"") -> bytes:
    return pack_packet(REMOTE, 1, 66, 0, serial, 0, payload)


def data(serial: int, payload: bytes) -> bytes:
    return pack_packet(REMOTE, 1, 208, 3, serial, 2, payload)


def with_descriptors(serial: int, count: int, payload: bytes = b"") -> bytes:
    return pack_packet(REMOTE, 1, 294, 4, serial, 0, payload, count) + b"\0" * count


class Told:
    """A cutter and what it told."""

    def __init__(self, *, payloads: bool = False, from_client: bool = True) -> None:
        self._data = bytearray(pack_head({"started_s": 0.0}))
        self.cutter = Cutter(7, from_client=from_client, tell=self._data.extend, payloads=payloads)

    def feed(self, *pieces: bytes) -> Told:
        for number, piece in enumerate(pieces):
            self.cutter.feed(memoryview(piece), number)
        return self

    @property
    def records(self) -> list[Record]:
        reader = RecordReader()
        found = reader.feed(bytes(self._data))
        assert reader.error is None
        return found

    @property
    def told(self) -> list[tuple[int, int, bytes]]:
        return [(each.kind, each.flags & LEFT_OUT, each.body) for each in self.records]


def test_a_packet_is_a_record() -> None:
    told = Told().feed(call(1, b"payload."))
    (record,) = told.records
    assert (record.kind, record.flags, record.conversation) == (PACKET, FROM_CLIENT, 7)
    assert record.body == call(1, b"payload.")
    assert told.cutter.edges == [36]


def test_the_direction_and_the_moment_are_told() -> None:
    told = Told(from_client=False).feed(call(1)[:5], call(1)[5:])
    (record,) = told.records
    assert not record.from_client
    assert record.time_s == pytest.approx(1e-6)


def test_streams_data_is_left_out_unless_it_is_wanted() -> None:
    packet = data(3, b"x" * 1000)
    assert Told().feed(packet).told == [(PACKET, LEFT_OUT, packet[:28])]
    assert Told(payloads=True).feed(packet).told == [(PACKET, 0, packet)]


def test_a_streams_end_has_nothing_to_leave_out() -> None:
    assert Told().feed(data(3, b"")).told == [(PACKET, 0, data(3, b""))]


@pytest.mark.parametrize("payloads", [False, True])
def test_records_do_not_depend_on_how_bytes_are_split(payloads: bool) -> None:
    chance = random.Random(6)
    packets = [
        call(1),
        data(2, b"d" * 5000),
        with_descriptors(3, 2, b"args"),
        call(4, b"p" * 300),
        data(2, b""),
        with_descriptors(5, 0),
        data(2, b"e" * 17),
        call(6, b"q" * 70000),
    ]
    stream = b"".join(packets)
    whole = Told(payloads=payloads).feed(stream).told
    assert len(whole) == len(packets)
    for most in (1, 2, 3, 29, 33, 400, 20000):
        pieces = []
        at = 0
        while at < len(stream):
            end = at + chance.randint(1, most)
            pieces.append(stream[at:end])
            at = end
        assert Told(payloads=payloads).feed(*pieces).told == whole, most


def test_carriers_are_not_told_and_belong_to_their_packet() -> None:
    told = Told().feed(with_descriptors(1, 3) + call(2))
    assert [body for _, _, body in told.told] == [with_descriptors(1, 3)[:-3], call(2)]
    assert told.cutter.edges == [35, 63]


def test_edges_are_where_packets_end() -> None:
    told = Told()
    stream = call(1) + call(2, b"x" * 100) + call(3)
    told.feed(stream[:40])
    assert told.cutter.edges == [28]
    told.feed(stream[40:])
    assert told.cutter.edges == [116, 144]


@pytest.mark.parametrize(
    "foreign", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x1b" + b"x" * 40, b"\x16\x03\x01\x02\0" * 9]
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_what_is_no_packet_is_told_as_bytes(foreign: bytes, step: int) -> None:
    stream = call(1) + foreign + call(2)
    told = Told().feed(*(stream[at : at + step] for at in range(0, len(stream), step)))
    kinds = [kind for kind, _, _ in told.told]
    assert kinds[0] == PACKET
    assert set(kinds[1:]) == {BYTES}
    assert b"".join(body for _, _, body in told.told) == stream


def test_the_longest_packet_there_may_be_is_one() -> None:
    head = call(1)[4:]
    told = Told().feed(PACKET_MAX.to_bytes(4, "big") + head)
    told.cutter.end(9)
    assert [kind for kind, _, _ in told.told] == [PACKET]
    told = Told().feed((PACKET_MAX + 1).to_bytes(4, "big") + head)
    assert [kind for kind, _, _ in told.told] == [BYTES]


@pytest.mark.parametrize(
    ("stream", "kinds"),
    [
        (call(1)[:20], [BYTES]),
        (call(1, b"x" * 100)[:60], [PACKET]),
        (with_descriptors(1, 2)[:30], [PACKET]),
        (with_descriptors(1, 2)[:-1], [PACKET, NOTE]),
        (data(1, b"x" * 100)[:60], [PACKET, NOTE]),
        (call(1), [PACKET]),
    ],
)
def test_what_was_cut_off_is_told_at_the_end(stream: bytes, kinds: list[int]) -> None:
    told = Told().feed(stream)
    told.cutter.end(5)
    assert [kind for kind, _, _ in told.told] == kinds
    before = len(told.told)
    told.cutter.end(6)
    assert len(told.told) == before


def test_a_count_that_nobody_takes_has_no_carriers() -> None:
    packet = bytearray(with_descriptors(1, 0))
    packet[28:32] = (33).to_bytes(4, "big")
    assert [body for _, _, body in Told().feed(bytes(packet) + call(2)).told][1] == call(2)
