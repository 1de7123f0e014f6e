"""No record of TLS holds parts of two packets, however they are cut when they are to be sent."""

from __future__ import annotations

import ssl
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from virtproto.transport.tls.layer import TlsLayer


class Session:
    """Stands for OpenSSL: each write is a record, and may take less than it is given."""

    def __init__(self, most: int) -> None:
        self.records: list[bytes] = []
        self._most = most

    def write(self, data: bytes | memoryview) -> int:
        self.records.append(bytes(data[: self._most]))
        return len(self.records[-1])


def records_of(pieces: list[bytes], most: int = 1 << 20) -> list[bytes]:
    session = Session(most)
    layer = TlsLayer(session, ssl.MemoryBIO(), ssl.MemoryBIO())  # type: ignore[arg-type]
    for piece in pieces:
        layer.wrap(piece)
    return session.records


def packet(size: int) -> bytes:
    return (size + 4).to_bytes(4, "big") + bytes(size)


def test_a_packet_is_a_record() -> None:
    one, two = packet(24), packet(5)
    assert records_of([one, two]) == [one, two]
    assert records_of([one + two + one]) == [one, two, one]


def test_nothing_to_send_is_no_record() -> None:
    assert records_of([b""]) == []


def test_what_is_no_packet_is_sent_as_it_is() -> None:
    assert b"".join(records_of([b"\0\0\0\0\0\0\0\1more"])) == b"\0\0\0\0\0\0\0\1more"


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=8),
    st.lists(st.integers(0, 1600), max_size=12),
    st.sampled_from([1, 7, 1000]),
)
def test_packets_in_pieces(sizes: list[int], cuts: list[int], most: int) -> None:
    packets = [packet(size) for size in sizes]
    sent = b"".join(packets)
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    records = records_of([sent[start:end] for start, end in pairwise(edges)], most)
    assert b"".join(records) == sent
    ends, reached = set(), 0
    for each in packets:
        reached += len(each)
        ends.add(reached)
    start = 0
    for record in records:
        assert not any(start < end < start + len(record) for end in ends)
        start += len(record)
