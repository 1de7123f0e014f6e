"""A connection's own bytes, cut into messages: in any pieces, torn midway, with descriptors."""

from __future__ import annotations

import random
from typing import Any

import pytest

from virtproto.protocol.framing import PacketReader, pack_header, pack_packet
from virtproto.trace import message as kinds
from virtproto.trace.overhearing import Overhearing
from virtproto.wire import remote
from virtproto.wire.qemu import DOMAIN_MONITOR_COMMAND_WITH_FILES as WITH_FILES
from virtproto.wire.rpc import (
    MESSAGE_STATUS_CONTINUE,
    MESSAGE_STATUS_OK,
    MESSAGE_TYPE_CALL,
    MESSAGE_TYPE_CALL_WITH_FDS,
    MESSAGE_TYPE_REPLY,
    MESSAGE_TYPE_REPLY_WITH_FDS,
    MESSAGE_TYPE_STREAM,
)
from virtproto.xdr.procedure import Procedure

NAME, UPLOAD = remote.CONNECT_GET_HOSTNAME, remote.STORAGE_VOL_UPLOAD


def call(serial: int, procedure: Procedure[Any, Any] = NAME, payload: bytes = b"") -> bytes:
    target = procedure.program, procedure.version, procedure.number
    return pack_packet(*target, MESSAGE_TYPE_CALL, serial, MESSAGE_STATUS_OK, payload)


def reply(serial: int, payload: bytes = b"") -> bytes:
    target = NAME.program, NAME.version, NAME.number
    return pack_packet(*target, MESSAGE_TYPE_REPLY, serial, MESSAGE_STATUS_OK, payload)


def overhearing() -> Overhearing:
    return Overhearing(carries_descriptors=True)


def test_conversations_of_a_process_count() -> None:
    numbers = [overhearing().begin(1.0).conversation for _ in range(3)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_what_is_known_of_the_ends_is_told_in_the_beginning() -> None:
    begin = overhearing().begin(7.5, daemon="a path", by="a unix socket")
    assert (begin.time_s, begin.about) == (7.5, {"daemon": "a path", "by": "a unix socket"})


def test_replies_in_any_pieces() -> None:
    pieces = random.Random(6)
    one = overhearing()
    for serial in range(50):
        (asked,) = one.sent(call(serial), float(serial))
        assert (asked.kind, asked.procedure, asked.in_flight) == (kinds.CALL, NAME.name, serial + 1)
    data = b"".join(reply(serial, bytes(serial * 4)) for serial in range(50))
    found = []
    while data:
        size = pieces.randrange(1, 200)
        found += one.came(data[:size], 100.0, begins=False)
        data = data[size:]
    assert [each.packet.serial for each in found] == list(range(50))
    assert [each.latency_s for each in found] == [100.0 - serial for serial in range(50)]
    sizes = [28 + serial * 4 for serial in range(50)]
    assert [each.offset for each in found] == [sum(sizes[:serial]) for serial in range(50)]


def test_several_packets_that_leave_together() -> None:
    found = overhearing().sent(call(0) + call(1), 0.0)
    assert [(each.packet.serial, each.offset) for each in found] == [(0, 0), (1, 28)]


def test_descriptors_that_leave_are_not_among_the_bytes_and_those_that_come_are() -> None:
    one = overhearing()
    target = WITH_FILES.program, WITH_FILES.version, WITH_FILES.number
    asked = pack_packet(*target, MESSAGE_TYPE_CALL_WITH_FDS, 0, MESSAGE_STATUS_OK, b"four", 2)
    (first,) = one.sent(asked, 0.0)
    (second,) = one.sent(call(1), 0.0)
    assert (first.packet.nfds, second.packet.serial) == (2, 1)
    assert second.offset == len(asked) + 2
    came = pack_packet(*target, MESSAGE_TYPE_REPLY_WITH_FDS, 0, MESSAGE_STATUS_OK, b"four", 2)
    assert one.came(came + b"\0", 0.0, begins=True) == []
    (answer, other) = one.came(b"\0" + reply(1), 0.0, begins=False)
    assert (answer.call, other.call) == (first, second)
    assert other.offset == len(came) + 2


def test_bytes_that_are_not_at_hand() -> None:
    one = overhearing()
    (opening,) = one.sent(call(0, UPLOAD), 0.0)
    target = UPLOAD.program, UPLOAD.version, UPLOAD.number
    head = pack_header(*target, MESSAGE_TYPE_STREAM, 0, MESSAGE_STATUS_CONTINUE, 5000)
    (data,) = one.sent(head, 0.0, left_out=5000)
    assert (data.kind, data.size, data.left_out, data.call) == (kinds.DATA, 5028, 5000, opening)
    (after,) = one.sent(call(1), 0.0)
    assert after.offset == opening.size + 5028


def test_where_it_was_torn_it_begins_anew_with_a_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    one = overhearing()
    for serial in range(4):
        one.sent(call(serial), 0.0)

    def tear(self: PacketReader, data: bytes) -> None:
        raise KeyboardInterrupt

    first = reply(0)
    assert one.came(first[:9], 0.0, begins=True) == []
    with monkeypatch.context() as patch:
        patch.setattr(PacketReader, "feed", tear)
        with pytest.raises(KeyboardInterrupt):
            one.came(first[9:] + reply(1)[:5], 0.0, begins=False)
    # In the middle of one that nobody knows the beginning of.
    assert one.came(reply(1)[5:], 0.0, begins=False) == []
    (third,) = one.came(reply(2), 0.0, begins=True)
    assert (third.packet.serial, third.oddity) == (2, None)
    (fourth,) = one.came(reply(3), 0.0, begins=False)
    assert fourth.packet.serial == 3


def test_what_is_no_packet_is_not_told() -> None:
    one = overhearing()
    assert one.came(b"\0\0\0\x05" + bytes(60), 0.0, begins=True) == []
    assert one.came(reply(0), 0.0, begins=False) == []
