"""Packets cut out of bytes, however these were split, and bad ones refused without harm."""

from __future__ import annotations

import tracemalloc
from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import peak_memory
from virtproto.errors import EncodeError, FramingError
from virtproto.protocol.framing import Packet, PacketReader, pack_header, pack_packet
from virtproto.protocol.limits import PACKET_MAX, PAYLOAD_MAX

WORD = Struct(">I")
MIB = 1 << 20

words = st.integers(0, 0xFFFFFFFF)
signed = st.integers(-(1 << 31), (1 << 31) - 1)
types = st.integers(0, 6).filter(lambda kind: kind not in (4, 5))


@st.composite
def packets(draw: st.DrawFn, with_fds: bool = False) -> Packet:
    """Any packet; with descriptors only if told so."""
    nfds = draw(st.none() | st.integers(0, 32)) if with_fds else None
    kind = draw(types if nfds is None else st.sampled_from([4, 5]))
    return Packet(
        draw(words),
        draw(words),
        draw(signed),
        kind,
        draw(words),
        draw(signed),
        draw(st.binary(max_size=200)),
        nfds,
    )


def split(data: bytes, places: list[int]) -> list[bytes]:
    """Return ``data`` cut at the given places, whatever they are."""
    cuts = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def drain(reader: PacketReader) -> list[Packet]:
    """Return every packet that is complete."""
    found = []
    while (packet := reader.next_packet()) is not None:
        found.append(packet)
    return found


def feed_all(reader: PacketReader, pieces: list[bytes]) -> list[Packet]:
    """Feed pieces one by one; return all packets."""
    found = []
    for piece in pieces:
        reader.feed(piece)
        found += drain(reader)
    return found


def test_layout() -> None:
    packet = pack_packet(0x20008086, 1, -2, 3, 0xFFFFFFFF, 2, b"abc")
    assert packet.hex(" ", -4) == (
        "0000001f 20008086 00000001 fffffffe 00000003 ffffffff 00000002 616263"
    )


def test_layout_with_descriptors() -> None:
    packet = pack_packet(0x20008086, 1, 310, 4, 9, 0, b"args", nfds=1)
    assert packet.hex(" ", -4) == (
        "00000024 20008086 00000001 00000136 00000004 00000009 00000000 00000001 61726773"
    )


@given(packets(with_fds=True))
def test_round_trip(packet: Packet) -> None:
    reader = PacketReader(fd_passing=True)
    reader.feed(packet.pack() + b"\0" * (packet.nfds or 0))
    assert reader.next_packet() == packet
    assert reader.next_packet() is None
    assert reader.bytes_wanted == 28


@given(st.lists(packets(with_fds=True), max_size=6), st.lists(st.integers(0, 5000), max_size=40))
def test_any_split_gives_the_same_packets(sent: list[Packet], places: list[int]) -> None:
    data = b"".join(each.pack() + b"\0" * (each.nfds or 0) for each in sent)
    assert feed_all(PacketReader(fd_passing=True), split(data, places)) == sent


@given(st.lists(packets(with_fds=True), min_size=1, max_size=3))
def test_reading_what_is_wanted_never_crosses_a_packet(sent: list[Packet]) -> None:
    data = b"".join(each.pack() + b"\0" * (each.nfds or 0) for each in sent)
    reader = PacketReader(fd_passing=True)
    for expected in sent:
        while (packet := reader.next_packet()) is None:
            wanted = reader.bytes_wanted
            assert wanted > 0
            reader.feed(data[:wanted])
            data = data[wanted:]
        assert packet == expected
        assert reader.bytes_held == 0
    assert data == b""


@given(st.lists(packets(), max_size=6), st.lists(st.integers(0, 5000), max_size=10))
def test_packets_may_be_taken_later(sent: list[Packet], places: list[int]) -> None:
    reader = PacketReader()
    for piece in split(b"".join(each.pack() for each in sent), places):
        reader.feed(piece)
        # Not every time all that there are.
        if sent and (packet := reader.next_packet()) is not None:
            assert packet == sent.pop(0)
    assert drain(reader) == sent


def test_one_byte_at_a_time() -> None:
    packet = Packet(1, 2, 3, 1, 5, 0, bytes(range(256)) * 40)
    reader = PacketReader()
    data = packet.pack() * 2
    assert feed_all(reader, [data[at : at + 1] for at in range(len(data))]) == [packet, packet]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_any_buffer_and_keeps_none(kind: type) -> None:
    packet = Packet(1, 2, 3, 1, 5, 0, b"x" * 100)
    source = bytearray(packet.pack())
    reader = PacketReader()
    reader.feed(kind(source[:50]))
    reader.feed(kind(source[50:]))
    source[:] = b"\xff" * len(source)
    assert reader.next_packet() == packet


def test_reused_buffer_does_not_show_in_a_kept_piece() -> None:
    """asyncio hands out views of one buffer that it overwrites with the next read."""
    packet = Packet(1, 2, 3, 1, 5, 0, b"abcd" * 5000)
    data = packet.pack()
    shared = bytearray(8192)
    reader = PacketReader()
    found = []
    for at in range(0, len(data), len(shared)):
        piece = data[at : at + len(shared)]
        shared[: len(piece)] = piece
        reader.feed(memoryview(shared)[: len(piece)])
        found += drain(reader)
    assert found == [packet]


@pytest.mark.parametrize("length", [0, 3, 4, 27, PACKET_MAX + 1, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("rest", [b"", b"\0" * 24, b"\0" * 100])
@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_impossible_length_words(length: int, rest: bytes, piece: int) -> None:
    reader = PacketReader()
    data = WORD.pack(length) + rest
    assert feed_all(reader, [data[at : at + piece] for at in range(0, len(data), piece)]) == []
    assert isinstance(reader.error, FramingError)
    assert str(length) in str(reader.error)
    assert reader.error.offset == 0
    assert reader.bytes_wanted == 0
    reader.feed(Packet(1, 1, 1, 1, 1, 0).pack())
    assert reader.next_packet() is None
    assert reader.bytes_held == 0


@pytest.mark.parametrize("length", [28, 29, PACKET_MAX])
def test_possible_length_words(length: int) -> None:
    reader = PacketReader()
    reader.feed(WORD.pack(length) + b"\0" * 24)
    assert (reader.next_packet() is not None) == (length == 28)
    assert reader.error is None
    assert reader.bytes_wanted == (28 if length == 28 else length - 28)


def test_bad_packet_after_a_good_one() -> None:
    good = Packet(1, 2, 3, 1, 5, 0, b"")
    reader = PacketReader()
    reader.feed(good.pack() + WORD.pack(3))
    assert drain(reader) == [good]
    assert reader.error is not None


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n"])
def test_text_is_named_in_the_error(banner: bytes) -> None:
    reader = PacketReader()
    reader.feed(banner)
    assert reader.next_packet() is None
    assert repr(banner[:4].decode()) in str(reader.error)
    assert "is the peer a libvirt daemon?" in str(reader.error)


def test_largest_packet_in_pieces() -> None:
    payload = bytes(PAYLOAD_MAX)
    data = pack_packet(1, 1, 1, 1, 7, 0, payload)
    assert len(data) == PACKET_MAX
    reader = PacketReader()
    found = feed_all(reader, [data[at : at + 65536] for at in range(0, len(data), 65536)])
    assert [packet.serial for packet in found] == [7]
    assert found[0].payload == payload


def test_largest_packet_in_small_pieces_costs_linear_time_and_memory() -> None:
    """A peer that trickles: neither copies of what has arrived nor an object per piece."""
    size = 4 * MIB
    header = pack_header(1, 1, 1, 1, 7, 0, size)
    reader = PacketReader()
    reader.feed(header)
    tracemalloc.start()
    try:
        for _ in range(size // 16):
            reader.feed(b"0123456789abcdef")
            packet = reader.next_packet()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert packet is not None
    assert packet.payload == b"0123456789abcdef" * (size // 16)
    assert peak < 3 * size


def test_declared_length_allocates_nothing() -> None:
    def declare() -> None:
        reader = PacketReader()
        reader.feed(pack_header(1, 1, 1, 1, 7, 0, PAYLOAD_MAX))
        assert reader.next_packet() is None
        reader.feed(b"x" * 1000)
        assert reader.next_packet() is None
        assert reader.bytes_held == 1028
        assert reader.bytes_wanted == PAYLOAD_MAX - 1000

    assert peak_memory(declare) < 64 * 1024


@given(st.lists(st.binary(max_size=400), max_size=10))
def test_random_bytes_never_raise(pieces: list[bytes]) -> None:
    reader = PacketReader(fd_passing=True)
    feed_all(reader, pieces)
    assert (reader.bytes_wanted == 0) == (reader.error is not None)
    assert reader.bytes_held <= sum(map(len, pieces))


class TestHeaderOfWhole:
    """The look ahead of the short way for one reply."""

    packet = Packet(1, 2, 3, 1, 5, 0, b"payload").pack()

    def test_takes_nothing(self) -> None:
        reader = PacketReader()
        assert reader.header_of_whole(self.packet) == (35, 1, 2, 3, 1, 5, 0)
        assert reader.bytes_held == 0
        assert reader.bytes_wanted == 28

    @pytest.mark.parametrize(
        "data", [b"", packet[:27], packet[:-1], packet + b"x", WORD.pack(27) + packet[4:27]]
    )
    def test_no_single_packet(self, data: bytes) -> None:
        assert PacketReader().header_of_whole(data) is None

    @pytest.mark.parametrize("before", [1, 28, 34])
    def test_something_came_before(self, before: int) -> None:
        reader = PacketReader()
        reader.feed(self.packet[:before])
        assert reader.next_packet() is None
        assert reader.header_of_whole(self.packet) is None

    def test_views_are_left_to_feed(self) -> None:
        assert PacketReader().header_of_whole(memoryview(self.packet)) is None  # type: ignore[arg-type]


class TestDescriptors:
    """Packets that announce file descriptors."""

    def test_packet_waits_for_its_carriers(self) -> None:
        packet = Packet(1, 1, 343, 5, 0, 0, b"ret", nfds=2)
        after = Packet(1, 1, 16, 1, 1, 0, b"")
        reader = PacketReader(fd_passing=True)
        reader.feed(packet.pack())
        assert reader.next_packet() is None
        assert reader.fds_expected == reader.bytes_wanted == 2
        assert reader.bytes_held == len(packet.pack())
        reader.feed(b"\0")
        assert reader.next_packet() is None
        assert reader.fds_expected == 1
        reader.feed(b"\xff" + after.pack())
        assert drain(reader) == [packet, after]
        assert reader.fds_expected == 0

    def test_none_announced(self) -> None:
        packet = Packet(1, 1, 343, 5, 0, 0, b"ret", nfds=0)
        reader = PacketReader()
        reader.feed(packet.pack())
        assert reader.next_packet() == packet

    def test_not_on_a_transport_without_descriptors(self) -> None:
        reader = PacketReader(fd_passing=False)
        reader.feed(Packet(1, 1, 343, 5, 0, 0, b"ret", nfds=1).pack())
        assert reader.next_packet() is None
        assert "cannot carry any" in str(reader.error)

    def test_too_many(self) -> None:
        data = bytearray(Packet(1, 1, 343, 5, 0, 0, b"ret", nfds=32).pack())
        data[28:32] = WORD.pack(33)
        reader = PacketReader(fd_passing=True)
        reader.feed(data)
        assert reader.next_packet() is None
        assert "33 descriptors, the limit is 32" in str(reader.error)

    @pytest.mark.parametrize("size", [0, 3])
    def test_no_room_for_the_count(self, size: int) -> None:
        reader = PacketReader(fd_passing=True)
        reader.feed(Packet(1, 1, 343, 5, 0, 0, b"\0" * size).pack())
        assert reader.next_packet() is None
        assert reader.error is not None
        assert reader.error.offset == 28


class TestRefusals:
    """What cannot be packed."""

    def test_payload_beyond_the_limit(self) -> None:
        assert len(pack_header(1, 1, 1, 0, 0, 0, PAYLOAD_MAX)) == 28
        with pytest.raises(EncodeError, match="33554409 bytes, the limit is 33554408"):
            pack_header(1, 1, 1, 0, 0, 0, PAYLOAD_MAX + 1)

    def test_count_takes_room(self) -> None:
        assert len(pack_header(1, 1, 1, 4, 0, 0, PAYLOAD_MAX - 4, 1)) == 32
        with pytest.raises(EncodeError, match="the limit is 33554404"):
            pack_header(1, 1, 1, 4, 0, 0, PAYLOAD_MAX - 3, 1)

    @pytest.mark.parametrize("nfds", [-1, 33])
    def test_count_of_descriptors(self, nfds: int) -> None:
        with pytest.raises(EncodeError, match="the limit is 32"):
            pack_packet(1, 1, 1, 4, 0, 0, b"", nfds)

    @pytest.mark.parametrize("program", [-1, 1 << 32])
    def test_header_word(self, program: int) -> None:
        with pytest.raises(EncodeError, match="header word out of range"):
            pack_packet(program, 1, 1, 0, 0, 0)


def test_repr_elides_the_payload() -> None:
    assert "secret" not in repr(Packet(1, 1, 1, 1, 1, 0, b"secret"))
    assert "<6 bytes>" in repr(Packet(1, 1, 1, 1, 1, 0, b"secret"))


def test_packets_compare_by_value_and_are_no_keys() -> None:
    assert Packet(1, 1, 1, 1, 1, 0, b"a") != Packet(1, 1, 1, 1, 1, 0, b"b")
    assert Packet(1, 1, 1, 1, 1, 0) != object()
    with pytest.raises(TypeError):
        hash(Packet(1, 1, 1, 1, 1, 0))
