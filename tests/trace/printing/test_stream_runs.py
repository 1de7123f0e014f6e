"""Packets of streams counted together."""

from __future__ import annotations

from tests.trace.conversations import uploading
from virtproto.protocol.framing import Packet
from virtproto.trace.following import Follower
from virtproto.trace.printing.stream_runs import StreamRuns


def test_data_of_one_stream_and_direction_is_one_run() -> None:
    runs = StreamRuns()
    taken = [message for message in uploading(pieces=5).messages() if runs.takes(message)]
    assert [message.kind for message in taken] == ["data"] * 5
    assert runs.longest_s > 0
    [run] = runs.take()
    assert (run.count, run.size, run.first) == (5, 5000, taken[0])
    assert run.last_s == taken[-1].time_s
    assert not runs
    assert runs.take() == []


def test_what_is_odd_is_told_for_itself() -> None:
    orphan = Packet(0x20008086, 1, 208, 3, 9, 2, b"data")
    message = Follower().follow(orphan, from_client=True, time_s=0.0)
    assert message.kind == "data"
    assert not StreamRuns().takes(message)


def test_streams_at_a_time_are_bounded() -> None:
    runs = StreamRuns()
    kept = 0
    for number in range(200):
        for message in uploading(pieces=1).messages():
            message.conversation = number
            kept += runs.takes(message)
    assert kept == 64
