"""Packets of a security layer: cut, put together again, and no larger than was agreed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.transport.sasl.security_layer import MAX_PACKET, SecurityLayer


class _Reversing(SecurityLayer):
    """Protects by turning a piece round and marking its end."""

    def _seal(self, piece: bytes | memoryview) -> bytes:
        return bytes(piece)[::-1] + b"!"

    def _open(self, packet: bytes) -> bytes:
        if not packet.endswith(b"!"):
            raise self._broken("no mark")
        return packet[:-1][::-1]


def _layer(max_piece: int = 1000) -> _Reversing:
    return _Reversing(max_piece, "the test's protection")


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20), st.lists(st.integers(1, 30)))
def test_all_comes_through_however_it_is_cut(
    said: list[bytes], max_piece: int, cuts: list[int]
) -> None:
    sender, receiver = _layer(max_piece), _layer()
    sent = b"".join(sender.wrap(each) for each in said)
    came = b""
    for size in itertools.chain(cuts, itertools.repeat(7)):
        if not sent:
            break
        came += receiver.unwrap(sent[:size])
        sent = sent[size:]
    assert came == b"".join(said)


def test_a_piece_is_no_larger_than_the_peer_takes() -> None:
    wrapped = _layer(10).wrap(bytes(25))
    assert [wrapped[start : start + 4] for start in (0, 15, 30)] == [
        b"\0\0\0\x0b",
        b"\0\0\0\x0b",
        b"\0\0\0\x06",
    ]


def test_a_piece_is_no_larger_than_anybody_takes_even_if_the_peer_takes_more() -> None:
    assert _layer(1 << 24).wrap(bytes(MAX_PACKET + 1)).count(b"!") == 2


def test_views_are_taken_as_bytes_are() -> None:
    assert _layer().wrap(memoryview(b"abc")) == _layer().wrap(b"abc")


def test_the_layer_has_nothing_to_say_itself() -> None:
    assert _layer().wrap(b"") == b""


def test_nothing_is_readable_before_a_packet_is_whole() -> None:
    layer = _layer()
    packet = _layer().wrap(b"abc")
    assert [layer.unwrap(packet[at : at + 1]) for at in range(len(packet))] == [
        *[b""] * (len(packet) - 1),
        b"abc",
    ]


def test_the_end_is_proper_between_packets_only() -> None:
    layer = _layer()
    packet = _layer().wrap(b"abc")
    assert not layer.has_ended
    layer.unwrap(packet + packet[:2])
    assert layer.unwrap(b"") == b""
    assert not layer.has_ended
    layer.unwrap(packet[2:])
    layer.unwrap(b"")
    assert layer.has_ended


@pytest.mark.parametrize("length", [MAX_PACKET + 1, 0x80000000, 0xFFFFFFFF])
def test_a_packet_larger_than_agreed_is_refused_by_its_length(length: int) -> None:
    layer = _layer()
    with pytest.raises(
        ConnectionError, match=rf"the test's protection: .* {length} bytes .* 65536"
    ):
        layer.unwrap(length.to_bytes(4, "big"))


def test_what_was_refused_stays_so() -> None:
    layer = _layer()
    with pytest.raises(ConnectionError, match="no mark"):
        layer.unwrap(b"\0\0\0\1?")
    with pytest.raises(ConnectionError, match="no mark"):
        layer.unwrap(_layer().wrap(b"abc"))
    with pytest.raises(ConnectionError, match="no mark"):
        layer.wrap(b"abc")
