"""The layer between bytes and packets: what goes through, and how it ends."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.pki import Lab
from tests.transport.tls.peer import Peer, endpoint_of
from virtproto.transport.tls.layer import TlsLayer

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(params=VERSIONS, ids=lambda version: str(version.name))
def pair(request: pytest.FixtureRequest, lab: Lab) -> tuple[Peer, TlsLayer]:
    peer = Peer(lab.folder / "server", newest=request.param)
    layer, _ = peer.shake(endpoint_of(lab))
    return peer, layer


def packet(size: int) -> bytes:
    return (size + 4).to_bytes(4, "big") + bytes(index % 251 for index in range(size))


def read_all(peer: Peer, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        found += peer.session.read(size)
    return bytes(found)


@pytest.mark.parametrize("size", [1, 28, 16_380, 16_384, 16_385, 300_000, 1 << 20])
def test_any_size_goes_both_ways(pair: tuple[Peer, TlsLayer], size: int) -> None:
    peer, layer = pair
    data = packet(size)
    for given in (data, memoryview(data)):
        peer.incoming.write(layer.wrap(given))
        assert read_all(peer, len(data)) == data
    sent = 0
    while sent < len(data):
        sent += peer.session.write(data[sent:])
    assert layer.unwrap(peer.outgoing.read()) == data


def test_bytes_may_come_one_by_one(pair: tuple[Peer, TlsLayer]) -> None:
    peer, layer = pair
    peer.session.write(b"hello")
    pieces = [layer.unwrap(bytes([byte])) for byte in peer.outgoing.read()]
    assert b"".join(pieces) == b"hello"
    assert pieces[:-1] == [b""] * (len(pieces) - 1)


def test_all_records_that_came_are_read(pair: tuple[Peer, TlsLayer]) -> None:
    peer, layer = pair
    for number in range(5):
        peer.session.write(bytes([number]) * 1000)
    assert len(layer.unwrap(peer.outgoing.read())) == 5000
    assert layer.wrap(b"") == b""


def test_a_farewell_is_an_end(pair: tuple[Peer, TlsLayer]) -> None:
    peer, layer = pair
    peer.session.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        peer.session.unwrap()
    assert layer.unwrap(peer.outgoing.read()) == b"last words"
    assert layer.has_ended
    assert layer.unwrap(b"") == b""


def test_hanging_up_is_an_end_without_a_word(pair: tuple[Peer, TlsLayer]) -> None:
    peer, layer = pair
    peer.session.write(b"last words")
    assert layer.unwrap(peer.outgoing.read()) == b"last words"
    assert layer.unwrap(b"") == b""
    assert not layer.has_ended
    assert layer.wrap(b"") == b""


def test_what_was_changed_on_the_way_is_found(pair: tuple[Peer, TlsLayer]) -> None:
    peer, layer = pair
    peer.session.write(b"first")
    first = peer.outgoing.read()
    peer.session.write(b"second")
    second = bytearray(peer.outgoing.read())
    second[-1] ^= 1
    # What came before the fault is not lost.
    assert layer.unwrap(first + bytes(second)) == b"first"
    for _ in range(2):
        with pytest.raises(ConnectionError, match="TLS failed: "):
            layer.unwrap(b"more")


def test_garbage_is_found(pair: tuple[Peer, TlsLayer]) -> None:
    _, layer = pair
    with pytest.raises(ConnectionError, match="TLS failed: "):
        layer.unwrap(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_nothing_secret_in_a_repr(pair: tuple[Peer, TlsLayer]) -> None:
    assert "hello" not in repr(pair[1])
