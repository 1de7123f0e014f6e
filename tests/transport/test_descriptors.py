"""The form in which descriptors travel, and what is refused before they do."""

from __future__ import annotations

import os
import socket

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.transport.descriptors import (
    ANCILLARY_SIZE,
    carrier_of,
    close_descriptors,
    copies_of,
    descriptors_in,
    open_descriptor,
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


def test_what_is_no_open_descriptor_is_refused_by_name() -> None:
    assert [open_descriptor("fd", fd) for fd in (0, 1)] == [0, 1]
    for wrong in (-1, 1 << 40, 99_999):
        with pytest.raises(UsageError, match=f"^fd: {wrong} is no open descriptor"):
            open_descriptor("fd", wrong)
    for wrong_type in ("0", True, 0.0, None):
        with pytest.raises(ArgumentTypeError, match=r"^fd: expected an open file or descriptor"):
            open_descriptor("fd", wrong_type)
    out, into = os.pipe()
    with pytest.raises(UsageError, match=f"^fd: descriptor {out} is not a socket"):
        open_descriptor("fd", out, socket=True)
    close_descriptors([out, into])
    with socket.socket() as real:
        assert open_descriptor("fd", real.fileno(), socket=True) == real.fileno()
