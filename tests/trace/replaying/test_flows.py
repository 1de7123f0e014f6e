"""A stream's data and holes held against those recorded."""

from __future__ import annotations

import pytest

from tests.trace.replaying.tape import CONTINUE, HOLE, STREAM, packet
from virtproto.trace.message import TracedMessage
from virtproto.trace.replaying.flows import RecordedFlow


def _said(payload: bytes, *, kind: int = STREAM, left_out: int = 0) -> TracedMessage:
    return TracedMessage(
        packet("STORAGE_VOL_UPLOAD", kind, payload, status=CONTINUE),
        conversation=1,
        number=1,
        from_client=True,
        time_s=0.0,
        kind="hole" if kind == HOLE else "data",
        left_out=left_out,
    )


def _hole(size: int) -> TracedMessage:
    return _said(size.to_bytes(8, "big") + bytes(4), kind=HOLE)


RECORDED = [_said(b"abcdef"), _hole(10), _said(b"gh", left_out=3), _said(b"ij")]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_pieces_may_be_cut_otherwise(size: int) -> None:
    flow = RecordedFlow(RECORDED)
    assert flow.size == 23
    for data in (b"abcdef", None, b"gh???ij"):
        if data is None:
            flow.hole(4)
            flow.hole(6)
            continue
        for at in range(0, len(data), size):
            flow.data(data[at : at + size])
    flow.end()
    assert (flow.fault, flow.at) == (None, flow.size)


def test_what_was_not_kept_may_have_been_a_hole_as_well() -> None:
    flow = RecordedFlow([_said(b"", left_out=3)])
    flow.hole(3)
    flow.end()
    assert flow.fault is None


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        ([b"abXdef"], "byte 2: the data differ from what was recorded"),
        ([b"abcdef", b"g"], "byte 6: data where a hole was recorded"),
        ([2], "byte 0: a hole where data was recorded"),
        ([b"abc"], "it ends after 3 bytes, 23 were recorded"),
        ([b"abcdef", 10, b"gh???ij!"], "there is more than the 23 bytes that were recorded"),
    ],
)
def test_first_difference_is_told(pieces: list[bytes | int], fault: str) -> None:
    flow = RecordedFlow(RECORDED)
    for piece in pieces:
        if isinstance(piece, int):
            flow.hole(piece)
        else:
            flow.data(piece)
    flow.end()
    assert flow.fault == fault
