"""What a stream's inbox makes of what arrives."""

from __future__ import annotations

import pytest

from virtproto.errors import ConnectionLostError, DecodeError, LibvirtError, SequenceError
from virtproto.model.stream_inbox import CROWDED, StreamInbox
from virtproto.protocol.events import (
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinished,
    StreamHoleReceived,
)
from virtproto.protocol.server import pack_error
from virtproto.wire.remote import STORAGE_VOL_DOWNLOAD


def inbox(*events: object, sparse: bool = True) -> StreamInbox:
    made = StreamInbox(STORAGE_VOL_DOWNLOAD, sparse=sparse)
    for event in events:
        made.put(event)  # type: ignore[arg-type]
    return made


def test_pieces_are_cut_and_never_joined() -> None:
    box = inbox(StreamDataReceived(0, b"abcde"), StreamDataReceived(0, b"fg"))
    assert (box.read(2), box.read(2), box.read(2), box.read(9)) == (b"ab", b"cd", b"e", b"fg")
    assert box.size == 0
    assert box.read(1) is None
    assert not box.has_news
    box.put(StreamEnded(0))
    assert box.has_news
    assert box.read(1) == b""


def test_a_whole_piece_is_not_copied() -> None:
    data = bytes(1000)
    assert inbox(StreamDataReceived(0, data)).read(1000) is data


def test_holes_are_passed_or_zeros() -> None:
    box = inbox(StreamHoleReceived(0, 5), StreamDataReceived(0, b"x"), StreamHoleReceived(0, 0))
    assert box.hole == 5
    assert box.read(3, stop_at_hole=True) is None
    assert box.read(3) == bytes(3)
    assert box.take_hole() == 2
    assert box.take_hole() == 0
    assert box.read(3, stop_at_hole=True) == b"x"
    assert box.hole == 0


def test_a_large_hole_gives_zeros_by_pieces() -> None:
    box = inbox(StreamHoleReceived(0, 1 << 40))
    zeros = box.read(1 << 30)
    assert zeros is not None
    assert 0 < len(zeros) <= 1 << 20
    assert box.hole == (1 << 40) - len(zeros)


def test_a_hole_that_may_not_come_is_a_failure() -> None:
    box = inbox(StreamDataReceived(0, b"x"), StreamHoleReceived(0, 5), sparse=False)
    with pytest.raises(SequenceError):
        box.read(1)
    assert box.size == 0


def test_the_first_failure_stays_and_is_raised_anew_each_time() -> None:
    payload = pack_error("first", code=38, int1=28)
    box = inbox(StreamDataReceived(0, b"x"), StreamFailed(0, payload))
    box.fail(ConnectionLostError("second"))
    raised = []
    for _ in range(2):
        with pytest.raises(LibvirtError, match="first") as caught:
            box.read(1)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert [(each.code, each.int1, each.procedure) for each in raised] == [
        (38, 28, "STORAGE_VOL_DOWNLOAD")
    ] * 2


def test_an_error_that_cannot_be_read_is_a_failure_too() -> None:
    box = inbox(StreamFailed(0, b"\0\0"))
    with pytest.raises(DecodeError):
        box.check()


def test_a_confirmation_is_an_end() -> None:
    box = inbox(StreamFinished(0))
    assert box.over
    assert box.read(1) == b""


def test_crowding_counts_what_is_unread() -> None:
    box = inbox(StreamDataReceived(0, bytes(CROWDED)))
    assert not box.crowded
    box.put(StreamDataReceived(0, b"x"))
    assert box.crowded
    box.read(10)
    assert not box.crowded
