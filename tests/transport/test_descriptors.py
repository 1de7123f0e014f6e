"""The form in which descriptors travel, and what is refused before they do."""

from __future__ import annotations

import os
import socket

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.transport.descriptors import (
    ANCILLARY_SIZE,
    carrier_of,
    check_descriptors,
    close_descriptors,
    copies_of,
    descriptors_in,
)


def test_each_rides_on_a_zero_byte_of_its_own() -> None:
    one, other = socket.socketpair()
    with one, other:
        for fd in (0, 1):
            one.sendmsg(*carrier_of(fd))
        found = []
        for _ in range(2):
            data, ancillary, flags, _ = other.recvmsg(100, ANCILLARY_SIZE)
            assert data == b"\0"
            assert not flags & socket.MSG_CTRUNC
            (fd,) = descriptors_in(ancillary)
            found.append(os.fstat(fd).st_ino)
            os.close(fd)
    assert found == [os.fstat(fd).st_ino for fd in (0, 1)]


def test_many_on_one_byte_are_all_found_and_what_is_none_is_not() -> None:
    one, other = socket.socketpair()
    with one, other:
        socket.send_fds(one, [b"\0"], [0] * 32)
        _, ancillary, _, _ = other.recvmsg(1, ANCILLARY_SIZE)
        found = descriptors_in(ancillary)
        assert len(set(found)) == 32
        close_descriptors(found)
        close_descriptors(found)
    assert descriptors_in([(socket.SOL_SOCKET, 77, b"\0\0\0\0")]) == []


def test_copies_outlive_their_originals() -> None:
    out, into = os.pipe()
    (copy,) = copies_of([into])
    os.close(into)
    os.write(copy, b"x")
    assert os.read(out, 1) == b"x"
    assert not os.get_inheritable(copy)
    close_descriptors([out, copy])


def test_half_made_copies_are_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        copies_of([0, 1, 99_999])
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_cannot_be_sent_is_refused_by_name() -> None:
    check_descriptors("fds", [0, 1])
    check_descriptors("fds", [])
    with pytest.raises(UsageError, match="fds: 33 descriptors, one call takes 32"):
        check_descriptors("fds", [0] * 33)
    for wrong in (-1, 1 << 40, 99_999):
        with pytest.raises(UsageError, match=f"fds: {wrong} is not an open descriptor"):
            check_descriptors("fds", [wrong])
    for wrong_type in ("0", [True], [0.0], 3, [None]):
        with pytest.raises(ArgumentTypeError, match="fds: expected"):
            check_descriptors("fds", wrong_type)  # type: ignore[arg-type]
    out, into = os.pipe()
    with pytest.raises(UsageError, match=f"fd: descriptor {out} is not a socket"):
        check_descriptors("fd", [out], sockets=True)
    close_descriptors([out, into])
    with socket.socket() as real:
        check_descriptors("fd", [real.fileno()], sockets=True)
