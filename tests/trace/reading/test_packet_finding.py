"""Packets found again in bytes with gaps and other things among them."""

from __future__ import annotations

import pytest

from tests.trace.conversations import listing
from virtproto.protocol.framing import HEADER
from virtproto.trace.reading.packet_finding import CUT, STRAY, WHOLE, Finder, plausible

_REMOTE = 0x20008086
_PACKETS = [message.packet.pack() for message in listing(3).messages()]


def _header(**words: int) -> bytes:
    known = {"length": 28, "program": _REMOTE, "version": 1, "procedure": 1}
    known |= {"type": 0, "serial": 1, "status": 0}
    return HEADER.pack(*(known | words).values())


@pytest.mark.parametrize(
    ("words", "strictly", "at_least"),
    [
        ({}, True, True),
        ({"length": 27}, False, False),
        ({"length": 40 << 20}, False, False),
        ({"program": 7}, False, True),
        ({"program": 7, "version": 2}, False, False),
        ({"version": 2}, False, False),
        ({"procedure": 0}, False, True),
        ({"procedure": 100_000}, False, True),
        ({"type": 7}, False, True),
        ({"status": 3}, False, True),
        ({"status": 2}, False, True),
        ({"status": 2, "type": 3}, True, True),
    ],
)
def test_headers_are_told_by_their_words(
    words: dict[str, int], strictly: bool, at_least: bool
) -> None:
    assert plausible(_header(**words)) is strictly
    assert plausible(_header(**words), strict=False) is at_least


@pytest.mark.parametrize("size", [1, 5, 29, 100_000])
def test_what_is_between_packets_is_stray(size: int) -> None:
    data = b"".join(_PACKETS) + b"\xff" * 77 + b"".join(_PACKETS)
    finder = Finder()
    found = [each for at in range(0, len(data), size) for each in finder.feed(data[at : at + size])]
    found += finder.finish()
    assert [data for what, data in found if what is WHOLE] == _PACKETS * 2
    assert b"".join(data for what, data in found if what is STRAY) == b"\xff" * 77
    assert finder.found == 2 * len(_PACKETS)


def test_packet_behind_a_gap_within_another_is_found_at_its_place() -> None:
    first, second = max(_PACKETS, key=len), _PACKETS[0]
    assert len(first) > 60
    finder = Finder()
    found = list(finder.feed(first[:40]))
    found += finder.gap(10)
    found += finder.feed(first[50:] + second)
    assert found == [(CUT, first[:40]), (WHOLE, second)]
    assert finder.in_step
