"""Many events at once: the short way gives what one packet after another gives, however split."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import EventReceived, SessionFailed
from virtproto.protocol.framing import pack_packet

REMOTE, QEMU = 0x20008086, 0x20008087
EVENT = 2

# (program, procedure, serial, status, payload) of packets; few kinds, so that there are runs.
PACKETS = st.lists(
    st.tuples(
        st.sampled_from([REMOTE, REMOTE, QEMU]),
        st.sampled_from([318, 318, 319]),
        st.sampled_from([0, 1, 1]),
        st.sampled_from([0, 0, 0, 1]),
        st.binary(max_size=12),
    ),
    max_size=30,
)


@given(packets=PACKETS, cuts=st.lists(st.integers(0, 1200), max_size=6))
def test_runs_of_events_are_what_single_ones_are(
    packets: list[tuple[int, int, int, int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(
        pack_packet(program, 1, procedure, EVENT, serial, status, payload)
        for program, procedure, serial, status, payload in packets
    )
    session = ClientSession()
    seen = []
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        session.receive_data(data[start:end])
        seen += session.events_received()
    expected = [
        EventReceived(program, procedure, payload)
        for program, procedure, _, status, payload in packets
        if status == 0
    ]
    assert seen == expected


def test_a_length_that_cannot_be_ends_a_run_as_it_ends_the_connection() -> None:
    good = pack_packet(REMOTE, 1, 318, EVENT, 1, 0, b"1234")
    for length in (0, 27, 0x7FFFFFFF):
        session = ClientSession()
        session.receive_data(good + good + length.to_bytes(4, "big") + good[4:])
        *events, failure = session.events_received()
        assert events == [EventReceived(REMOTE, 318, b"1234")] * 2
        assert isinstance(failure, SessionFailed)
