"""Bytes that trickle in take little more memory than they are."""

from __future__ import annotations

import tracemalloc

from virtproto.trace.reading.gathering import Gatherer


def test_tiny_pieces_take_no_more_memory_than_large_ones() -> None:
    gatherer = Gatherer(1 << 20)
    data = bytes(range(256)) * 800
    tracemalloc.start()
    try:
        for at in range(0, len(data), 2):
            assert gatherer.add(data[at : at + 2]) is None
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 2 * len(data)
    assert gatherer.held == len(data)
    assert gatherer.all() == data
