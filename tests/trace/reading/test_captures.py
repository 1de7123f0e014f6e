"""libvirt's conversations are found in captures of every kind, whatever is missing of them."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest

from tests.trace.reading.capturing import (
    ETHERNET,
    IPV4,
    IPV6,
    LINKS,
    LOOP,
    NULL,
    RAW,
    SLL2,
    Connection,
    block,
    conversation,
    frame,
    later,
    pcap,
    pcapng,
    with_vlan,
)
from virtproto.protocol.framing import Packet
from virtproto.trace.reading.captures import CaptureReader
from virtproto.trace.reading.formats import reader_of
from virtproto.trace.recording import BEGIN, BYTES, END, NOTE, PACKET, Record
from virtproto.trace.telling import Teller

SAID = conversation()
SIX: dict[str, Any] = {"client": ("2001:db8::1", 40001), "daemon": ("2001:db8::2", 16509)}
TLS = bytes.fromhex("160301020001000200fc0303") + bytes(500)


def _connection(said: list[tuple[bool, bytes]] = SAID, **options: Any) -> Connection:
    connection = Connection(**options).open()
    for from_client, data in said:
        connection.send(from_client, data)
    return connection.close()


def _frames(connection: Connection, link: int = ETHERNET) -> list[tuple[float, bytes]]:
    return [(each.time_s, frame(each, link)) for each in connection.sent]


def _read(data: bytes, size: int = 1 << 20) -> tuple[CaptureReader, list[Record]]:
    reader = CaptureReader()
    records = []
    for start in range(0, len(data), size):
        records += reader.feed(data[start : start + size])
    records += reader.rest()
    reader.finish()
    return reader, records


def _packets(records: list[Record], conversation: int = 1) -> list[tuple[bool, bytes]]:
    return [
        (each.from_client, each.body)
        for each in records
        if each.kind == PACKET and each.conversation == conversation
    ]


def _notes(records: list[Record]) -> list[str]:
    return [each.body.decode() for each in records if each.kind == NOTE]


@pytest.mark.parametrize("link", [*LINKS, IPV4])
def test_every_link_layer_is_read(link: int) -> None:
    reader, records = _read(pcap(_frames(_connection(), link), link))
    assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    assert reader.started_s == pytest.approx(1_700_000_000.001)
    kinds = [each.kind for each in records]
    assert (kinds[0], kinds[-2:], kinds.count(PACKET)) == (BEGIN, [END, END], len(SAID))
    assert json.loads(records[0].body) == {
        "client": "192.0.2.1:40001",
        "daemon": "192.0.2.2:16509",
    }
    assert records[1].time_s == pytest.approx(0.003, abs=1e-6)


@pytest.mark.parametrize("link", [*LINKS, IPV6])
def test_every_link_layer_is_read_with_ipv6(link: int) -> None:
    reader, records = _read(pcap(_frames(_connection(**SIX), link), link))
    assert (_packets(records), reader.error) == (SAID, None)
    assert json.loads(records[0].body)["daemon"] == "[2001:db8::2]:16509"


def test_tagged_frames_are_read() -> None:
    frames = [(time_s, with_vlan(data, 5)) for time_s, data in _frames(_connection())]
    assert _packets(_read(pcap(frames))[1]) == SAID
    frames = [(time_s, with_vlan(data, 5, 6)) for time_s, data in _frames(_connection())]
    assert _packets(_read(pcap(frames))[1]) == SAID


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_is_read_in_either_order_of_bytes(order: str, nano: bool) -> None:
    data = pcap(_frames(_connection()), order=order, nano=nano)
    assert isinstance(reader_of(data), CaptureReader)
    _, records = _read(data)
    assert _packets(records) == SAID
    assert records[1].time_s == pytest.approx(0.003, abs=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", [6, 9, 0x80 | 20])
def test_pcapng_is_read_with_several_interfaces(order: str, unit: int) -> None:
    sent = _connection().sent
    links = (ETHERNET, RAW, SLL2)
    frames = [
        (each.time_s, frame(each, links[number % 3]), number % 3)
        for number, each in enumerate(sent)
    ]
    data = pcapng(frames, links, order=order, unit=unit)
    assert isinstance(reader_of(data), CaptureReader)
    reader, records = _read(data)
    assert (_packets(records), reader.error) == (SAID, None)
    assert records[1].time_s == pytest.approx(0.003, abs=1e-5)
    # A second section begins anew, also with its interfaces.
    other = _connection(client=("192.0.2.9", 5)).sent
    again = pcapng([(each.time_s, frame(each), 0) for each in other])
    assert _packets(_read(data + again)[1], 2) == SAID


def test_simple_blocks_and_old_ones_are_read() -> None:
    frames = [frame(each) for each in _connection().sent]
    head = pcapng([])
    simple = b"".join(block(3, struct.pack("<I", len(data)) + data) for data in frames)
    assert _packets(_read(head + simple)[1]) == SAID
    old = b"".join(
        block(2, struct.pack("<HHIIII", 0, 0, 1, 1, len(data), len(data)) + data) for data in frames
    )
    assert _packets(_read(head + old)[1]) == SAID


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_files_come_split_anywhere(size: int) -> None:
    frames = _frames(_connection())
    assert _packets(_read(pcap(frames), size)[1]) == SAID
    assert _packets(_read(pcapng([(*each, 0) for each in frames]), size)[1]) == SAID


def test_several_conversations_are_told_apart_on_any_ports() -> None:
    one = _connection()
    two = _connection(conversation(name="db"), client=("192.0.2.1", 17), daemon=("192.0.2.3", 9))
    again = later(_connection(conversation(3)).sent, 60.0)
    sent = sorted(one.sent + two.sent, key=lambda each: each.time_s) + again
    reader, records = _read(pcap([(each.time_s, frame(each)) for each in sent]))
    assert _packets(records, 1) == SAID
    assert _packets(records, 2) == conversation(name="db")
    assert _packets(records, 3) == conversation(3)
    assert reader.count == 2 * len(SAID) + 6
    begun = [json.loads(each.body)["daemon"] for each in records if each.kind == BEGIN]
    assert begun == ["192.0.2.2:16509", "192.0.2.3:9", "192.0.2.2:16509"]


@pytest.mark.parametrize("seed", range(10))
def test_segments_out_of_order_change_nothing(seed: int) -> None:
    sent = _connection(size=60).sent
    rng = random.Random(seed)
    twice = [each for each in sent[3:] if rng.random() < 0.3]
    order = sorted(
        [*enumerate(sent), *((sent.index(each) + 3, each) for each in twice)],
        key=lambda pair: pair[0] + (rng.random() * 5 if pair[0] > 2 else 0),
    )
    reader, records = _read(pcap([(each.time_s, frame(each)) for _, each in order]))
    assert (_packets(records), reader.incomplete) == (SAID, False)


def test_lost_segment_is_told_and_the_next_packet_found() -> None:
    for lost in range(3, len(_connection(size=100).sent) - 3):
        connection = _connection(size=100)
        gone = connection.sent.pop(lost)
        reader, records = _read(pcap(_frames(connection)))
        found = _packets(records)
        whole = [pair for pair in found if pair in SAID]
        assert reader.incomplete
        assert any(f"{len(gone.data)} bytes" in note for note in _notes(records))
        # One packet is not whole, or two where a segment had the ends of both.
        assert len(SAID) - 2 <= len(whole) < len(SAID)
        told = [each for record in records for each in Teller().tell(record)]
        assert told


def test_frames_cut_by_the_capture_leave_the_beginnings_of_packets() -> None:
    reader, records = _read(pcap(_frames(_connection(size=4000)), snap=200))
    found = _packets(records)
    assert [who for who, _ in found] == [who for who, _ in SAID]
    for (_, kept), (_, data) in zip(found, SAID, strict=True):
        assert kept == data[: 200 - 54]
    assert reader.incomplete


@pytest.mark.parametrize("first", [3, 4, 5, 6, 9, 12])
def test_capture_that_begins_midway(first: int) -> None:
    connection = _connection(size=100)
    connection.sent = connection.sent[first:]
    _, records = _read(pcap(_frames(connection)))
    found = _packets(records)
    assert found == SAID[len(SAID) - len(found) :]
    assert len(found) >= len(SAID) - first
    assert any("in the middle" in note for note in _notes(records))


def test_large_stream_that_is_joined_midway_is_found_at_the_next_packet() -> None:
    data = Packet(0x20008086, 1, 209, 3, 9, 2, random.Random(1).randbytes(100_000)).pack()
    connection = Connection().open()
    for _ in range(4):
        connection.send(False, data)
    connection.sent = connection.sent[20:]
    _, records = _read(pcap(_frames(connection)))
    assert _packets(records) == [(False, data)] * 3


def test_client_is_who_calls_where_nobody_shook_hands() -> None:
    connection = _connection(client=("192.0.2.1", 9), daemon=("192.0.2.2", 50000))
    connection.sent = connection.sent[3:]
    _, records = _read(pcap(_frames(connection)))
    assert json.loads(records[0].body)["client"] == "192.0.2.1:9"
    assert _packets(records) == SAID


def test_what_is_inside_tls_is_told_and_left_out() -> None:
    hidden = _connection(
        [(True, TLS), (False, TLS)], client=("192.0.2.1", 7), daemon=("192.0.2.2", 16514)
    )
    web = _connection(
        [(True, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")],
        daemon=("::1", 80),
        client=("::1", 6),
    )
    frames = _frames(hidden) + _frames(web) + _frames(_connection())
    reader, records = _read(pcap(frames))
    assert (_packets(records), reader.error, reader.incomplete) == (SAID, None, False)
    [left_out, advice] = _notes(records)
    assert "192.0.2.1:7 to 192.0.2.2:16514 (TLS" in left_out
    assert "[::1]:80 (HTTP)" in left_out
    assert "virtproto trace" in advice
    reader, records = _read(pcap(_frames(hidden)))
    assert reader.error is not None
    assert "TLS" in str(reader.error)
    assert records == []


def test_what_sasl_wraps_is_told() -> None:
    step = Packet(0x20008086, 1, 68, 0, 1, 0, b"").pack()
    wrapped = b"\0\0\x01\x10" + random.Random(2).randbytes(272)
    connection = _connection([(True, step), (True, wrapped), (True, wrapped)])
    reader, records = _read(pcap(_frames(connection)))
    assert _packets(records) == [(True, step)]
    assert reader.incomplete
    assert any("SASL" in note for note in _notes(records))
    assert [each.kind for each in records].count(BYTES) == 1


def test_nothing_of_libvirt_is_an_error_that_says_what_there_is() -> None:
    reader, _ = _read(pcap([]))
    assert "0 frames" in str(reader.error)
    reader, _ = _read(pcap(_frames(_connection()), 127))
    assert "link layer 127" in str(reader.error)
    parts = [
        (
            1.0,
            bytes(12)
            + b"\x08\x00"
            + bytes.fromhex("4500001c00012000400600000a0000010a000002")
            + bytes(8),
        )
    ]
    reader, _ = _read(pcap(parts))
    assert "parts of IP packets" in str(reader.error)
    reader, _ = _read(pcap([(1.0, b"\0" * 5), (2.0, b"\xff" * 300)]))
    assert "no conversation of libvirt's" in str(reader.error)


def test_cut_off_file_gives_what_was_there() -> None:
    frames = _frames(_connection())
    for data in (pcap(frames), pcapng([(*each, 0) for each in frames])):
        whole = _read(data)[0].frames
        ends = 0
        for cut in range(24, len(data), 37):
            reader, records = _read(data[:cut])
            found = _packets(records)
            assert found == SAID[: len(found)] or reader.incomplete
            ends += reader.error is not None and "cut off" in str(reader.error)
            if "cut off" in str(reader.error):
                assert reader.error is not None
                assert reader.error.offset is not None
                assert reader.error.offset <= cut
        assert ends > whole // 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:32] + b"\xff\xff\xff\x7f" + data[36:], "bytes"),
        (lambda data: data[:4] + b"\x09\x00" + data[6:], "version 9"),
    ],
)
def test_damaged_pcap_says_where(change: Any, words: str) -> None:
    data = change(pcap(_frames(_connection())))
    reader, _ = _read(data)
    assert reader.error is not None
    assert words in str(reader.error)
    assert reader.error.offset in (0, 24)


def test_damaged_blocks_say_where() -> None:
    whole = pcapng([(*each, 0) for each in _frames(_connection())])
    start = whole.index(struct.pack("<I", 6), 60)
    for change, words in (
        (struct.pack("<II", 6, 13), "13 bytes"),
        (struct.pack("<II", 6, 1 << 30), f"{1 << 30} bytes"),
        (struct.pack("<II", 6, 40), "two sizes"),
        (whole[start : start + 8] + struct.pack("<I", 9), "interface"),
    ):
        reader, _ = _read(whole[:start] + change + whole[start + len(change) :])
        assert reader.error is not None
        assert words in str(reader.error)
        assert reader.error.offset == start
        assert reader.feed(whole) == []


def test_time_beyond_calendars_is_damage() -> None:
    data = pcapng([(1.0, b"x", 0), (3e11, b"x", 0)])
    reader, _ = _read(data)
    assert "calendar" in str(reader.error)


def test_memory_does_not_grow_with_the_file() -> None:
    import tracemalloc

    data = Packet(0x20008086, 1, 209, 3, 9, 2, bytes(60_000)).pack()
    connection = Connection(size=60_000).open().send(True, SAID[0][1])
    for _ in range(50):
        connection.send(False, data)
    frames = _frames(connection)
    reader = CaptureReader()
    reader.feed(pcap(frames[:4]))
    tracemalloc.start()
    try:
        for _ in range(8):
            for record in reader.feed(pcap(frames[4:])[24:]):
                assert len(record.body) <= len(data)
            # The same again would be old: the numbers go on.
            for each in connection.sent[4:]:
                if each.source[1] == 16509:
                    each.seq = (each.seq + 50 * len(data)) % (1 << 32)
            frames = _frames(connection)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reader.count == 401
    assert peak < 24 << 20


def test_memory_does_not_grow_with_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may wait for a packet's end, or for a segment that never comes."""
    import tracemalloc

    monkeypatch.setattr("virtproto.trace.reading.connections._MOST_HELD", 1 << 20)
    part = Packet(0x20008086, 1, 350, 0, 9, 0, bytes(1 << 20)).pack()[: 1 << 18]
    captures = []
    for number in range(16):
        connection = Connection(("192.0.2.1", 2000 + number), size=50_000).open()
        connection.send(True, part)
        if number % 2:
            # The first segment with data is lost.
            del connection.sent[3]
        captures.append(pcap(_frames(connection))[24:])
    reader = CaptureReader()
    reader.feed(pcap([]))
    kinds = []
    tracemalloc.start()
    try:
        for capture in captures:
            kinds += [each.kind for each in reader.feed(capture)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20, "all of it is 4 MiB"
    # What was held is told as far as it came.
    assert kinds.count(PACKET) >= 4


def test_very_many_interfaces_are_damage() -> None:
    block = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    reader = CaptureReader()
    reader.feed(section + block * 65_536)
    assert reader.error is None
    reader.feed(block)
    assert "more than 65536 interfaces" in str(reader.error)


def test_loopback_of_either_order() -> None:
    sent = _connection().sent
    little = [(each.time_s, frame(each, NULL)) for each in sent]
    assert _packets(_read(pcap(little, LOOP))[1]) == SAID


def test_handshake_that_was_captured_late_begins_nothing_anew() -> None:
    connection = _connection()
    shake, rest = connection.sent[:3], connection.sent[3:]
    for mixed in ([*shake[1:], shake[0]], [rest[0], *shake], [shake[0], rest[0], *shake[1:]]):
        left = [each for each in rest if each not in mixed]
        frames = [(each.time_s, frame(each)) for each in [*mixed, *left]]
        reader, records = _read(pcap(frames))
        assert (_packets(records), reader.incomplete) == (SAID, False)
        assert [each.kind for each in records].count(BEGIN) == 1
