"""The limits agree with the contract and with each other."""

from __future__ import annotations

from virtproto.protocol import limits
from virtproto.wire import lxc, qemu, remote


def test_sizes() -> None:
    assert limits.PACKET_MIN == 28
    assert limits.PACKET_MAX == 33554436
    assert limits.PAYLOAD_MAX == limits.PACKET_MAX - limits.PACKET_MIN == 33554408
    assert limits.FDS_MAX == 32
    assert limits.STREAM_CHUNK == 262120


def test_programs_are_those_of_the_contract() -> None:
    assert {
        (remote.PROGRAM, remote.VERSION),
        (qemu.PROGRAM, qemu.VERSION),
        (lxc.PROGRAM, lxc.VERSION),
    } == limits.LIBVIRTD_PROGRAMS
