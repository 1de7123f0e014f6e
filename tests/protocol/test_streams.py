"""The tables of stream states are complete and lead somewhere."""

from __future__ import annotations

import pytest

from virtproto.errors import SequenceError, UsageError
from virtproto.protocol import streams
from virtproto.protocol.streams import StreamRecord

CLIENT_INPUTS = {
    streams.REPLY_OK,
    streams.REPLY_ERROR,
    streams.DATA,
    streams.END,
    streams.HOLE,
    streams.STREAM_OK,
    streams.STREAM_ERROR,
}
CLIENT_STATES = {
    streams.OPENING,
    streams.OPEN,
    streams.FINISHING,
    streams.ABORTING,
    streams.FAILED,
    streams.FAILED_OPENING,
    streams.DISOWNED,
    streams.DISOWNED_FAILED,
    streams.DISOWNED_ABORTING,
}
BEFORE_REPLY = {
    streams.OPENING,
    streams.FAILED_OPENING,
    streams.DISOWNED,
    streams.DISOWNED_FAILED,
}
MAY_BE_CONFIRMED = {
    streams.FINISHING,
    streams.ABORTING,
    streams.DISOWNED_ABORTING,
    streams.FAILED,
}


def test_client_tables_know_no_other_states() -> None:
    sources = {*streams.CLIENT_RECEIVES, *streams.CLIENT_WISHES}
    targets = {state for state, _ in streams.CLIENT_RECEIVES.values()}
    assert {state for state, _ in sources} == CLIENT_STATES
    assert targets | {*streams.CLIENT_WISHES.values()} <= CLIENT_STATES | {streams.CLOSED}


def test_server_tables_know_no_other_states() -> None:
    known = {streams.OPEN, streams.FINISHING, streams.ABORTING}
    sources = {*streams.SERVER_RECEIVES, *streams.SERVER_WISHES}
    targets = {state for state, _ in streams.SERVER_RECEIVES.values()}
    assert {state for state, _ in sources} == known
    assert targets | {*streams.SERVER_WISHES.values()} == known | {streams.CLOSED}


def test_client_takes_everything_but_what_makes_no_sense() -> None:
    """Missing: a confirmation that nothing was asked for, a second OK reply to who is gone."""
    missing = {
        (state, what)
        for state in CLIENT_STATES
        for what in CLIENT_INPUTS
        if (state, what) not in streams.CLIENT_RECEIVES
    }
    assert missing == {
        *((state, streams.STREAM_OK) for state in CLIENT_STATES - MAY_BE_CONFIRMED),
        (streams.DISOWNED_ABORTING, streams.REPLY_OK),
    }


def test_every_client_state_can_be_reached_and_left() -> None:
    edges = [(state, after) for (state, _), (after, _) in streams.CLIENT_RECEIVES.items()]
    edges += [(state, after) for (state, _), after in streams.CLIENT_WISHES.items()]
    reached = {streams.OPENING}
    while True:
        found = {after for state, after in edges if state in reached}
        if found <= reached:
            break
        reached |= found
    assert reached == CLIENT_STATES | {streams.CLOSED}


def test_nothing_can_be_sent_after_a_failure() -> None:
    assert not {what for state, what in streams.CLIENT_WISHES if state is streams.FAILED}


def test_record_moves_and_refuses() -> None:
    record = StreamRecord((1, 1, 1), streams.OPENING)
    with pytest.raises(UsageError, match="finish on the stream with serial 7, which is opening"):
        record.wish(streams.CLIENT_WISHES, 7, streams.FINISH)
    assert record.receive(streams.CLIENT_RECEIVES, 7, streams.REPLY_OK) is streams.REPORT_REPLY
    with pytest.raises(SequenceError, match="confirmation for the stream with serial 7"):
        record.receive(streams.CLIENT_RECEIVES, 7, streams.STREAM_OK)
    assert record.state is streams.OPEN
    record.wish(streams.CLIENT_WISHES, 7, streams.FINISH)
    assert record.state is streams.FINISHING
    with pytest.raises(UsageError, match="finish on the stream with serial 7, which is finishing"):
        record.wish(streams.CLIENT_WISHES, 7, streams.FINISH)
