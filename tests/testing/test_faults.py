"""Faults: refused if impossible, and done to the bytes as told."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from virtproto.errors import UsageError
from virtproto.testing.faults import DELAY_MAX_S, Faults, Outlet


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a non-blocking pair of sockets."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        ({"split": 0}, "split=0"),
        ({"delay_s": -1}, "delay_s=-1"),
        ({"delay_s": DELAY_MAX_S + 1}, "delay_s=2"),
        ({"delay_s": float("nan")}, "delay_s=nan"),
        ({"cut_after": -1}, "cut_after=-1"),
        ({"reorder": (0, 2)}, "reorder="),
        ({"reorder": (1, 1)}, "reorder="),
    ],
)
def test_impossible_faults(faults: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Faults(**faults)  # type: ignore[arg-type]


def test_no_faults(ends: tuple[socket.socket, socket.socket]) -> None:
    outlet = Outlet(ends[0], Faults())
    outlet.put(b"")
    assert outlet.empty
    outlet.put(b"one")
    outlet.put(b"two")
    assert outlet.flush(0) is None
    assert outlet.empty
    assert ends[1].recv(100) == b"onetwo"


def test_split_waits_for_the_reader(ends: tuple[socket.socket, socket.socket]) -> None:
    outlet = Outlet(ends[0], Faults(split=2))
    outlet.put(b"abcde")
    seen = []
    for now in range(3):
        assert (outlet.flush(now) is None) == (now == 2)
        # Asking again without a reader changes nothing.
        outlet.flush(now)
        seen.append(ends[1].recv(100))
    assert seen == [b"ab", b"cd", b"e"]


def test_delay(ends: tuple[socket.socket, socket.socket]) -> None:
    outlet = Outlet(ends[0], Faults(delay_s=0.5))
    outlet.put(b"abc")
    outlet.put(b"def")
    assert outlet.flush(10) == 10.5
    assert outlet.flush(10.4) == 10.5
    assert outlet.flush(10.5) == 11.0
    assert ends[1].recv(100) == b"abc"
    assert outlet.flush(11) is None
    assert ends[1].recv(100) == b"def"


@pytest.mark.parametrize("cut_after", [0, 1, 4])
def test_cut(ends: tuple[socket.socket, socket.socket], cut_after: int) -> None:
    outlet = Outlet(ends[0], Faults(cut_after=cut_after))
    outlet.put(b"abc")
    outlet.put(b"def")
    outlet.flush(0)
    assert outlet.cut
    ends[0].close()
    assert ends[1].recv(100) == b"abcdef"[:cut_after]
    outlet.put(b"more")
    assert outlet.empty


def test_full_socket(ends: tuple[socket.socket, socket.socket]) -> None:
    outlet = Outlet(ends[0], Faults())
    data = bytes(range(256)) * 40_000
    outlet.put(data)
    outlet.flush(0)
    assert outlet.blocked
    got = bytearray()
    while not outlet.empty:
        got += ends[1].recv(1 << 20)
        outlet.flush(0)
    ends[0].close()
    while piece := ends[1].recv(1 << 20):
        got += piece
    assert got == data
