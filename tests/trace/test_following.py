"""What a listener in the middle makes of each packet of a conversation."""

from __future__ import annotations

from virtproto.protocol.framing import Packet
from virtproto.trace import message as kinds
from virtproto.trace.following import Follower

REMOTE, QEMU, KEEPALIVE = 0x20008086, 0x20008087, 0x6B656570
CALL, REPLY, MESSAGE, STREAM, HOLE = 0, 1, 2, 3, 6
OK, ERROR, CONTINUE = 0, 1, 2
LOOKUP, EVENT_LIFECYCLE, VOL_UPLOAD = 23, 318, 208


def _packet(
    kind: int, procedure: int = LOOKUP, serial: int = 1, status: int = OK, payload: bytes = b""
) -> Packet:
    return Packet(REMOTE, 1, procedure, kind, serial, status, payload)


def test_reply_finds_its_call_and_is_timed() -> None:
    follower = Follower(3)
    call = follower.follow(_packet(CALL), from_client=True, time_s=10.0)
    assert (call.kind, call.program, call.procedure) == (
        kinds.CALL,
        "remote",
        "DOMAIN_LOOKUP_BY_NAME",
    )
    assert call.type_name == "remote_domain_lookup_by_name_args"
    assert (call.conversation, call.number, call.in_flight, call.oddity) == (3, 1, 1, None)
    reply = follower.follow(_packet(REPLY), from_client=False, time_s=10.5)
    assert reply.call is call
    assert (reply.latency_s, reply.in_flight) == (0.5, 0)
    assert reply.type_name == "remote_domain_lookup_by_name_ret"
    assert follower.unanswered == []


def test_error_is_of_the_type_of_errors() -> None:
    follower = Follower()
    follower.follow(_packet(CALL), from_client=True, time_s=0.0)
    reply = follower.follow(_packet(REPLY, status=ERROR), from_client=False, time_s=0.0)
    assert (reply.type_name, reply.oddity) == ("remote_error", None)


def test_odd_messages_are_noted_and_end_nothing() -> None:
    follower = Follower()
    assert follower.follow(_packet(REPLY), from_client=False, time_s=0).oddity == (
        "no call with serial 1 was seen"
    )
    assert follower.follow(_packet(77), from_client=True, time_s=0).oddity == "a packet of type 77"
    strange = follower.follow(Packet(7, 1, 1, CALL, 2, OK), from_client=True, time_s=0)
    assert (strange.program, strange.oddity) == (None, "program 0x7 is not one of libvirt's")
    newer = follower.follow(_packet(CALL, 9999, 3), from_client=True, time_s=0)
    assert newer.procedure is None
    assert newer.oddity is not None
    assert "9999" in newer.oddity
    follower.follow(_packet(CALL, serial=5), from_client=True, time_s=0)
    other = follower.follow(_packet(REPLY, VOL_UPLOAD, 5), from_client=False, time_s=0)
    assert other.oddity == "the call with serial 5 was of another procedure"


def test_events_and_keepalive_have_no_call() -> None:
    follower = Follower()
    event = follower.follow(_packet(MESSAGE, EVENT_LIFECYCLE), from_client=False, time_s=0)
    assert (event.kind, event.call, event.oddity) == (kinds.EVENT, None, None)
    assert event.type_name == "remote_domain_event_callback_lifecycle_msg"
    ping = follower.follow(Packet(KEEPALIVE, 1, 1, MESSAGE, 0, OK), from_client=False, time_s=0)
    assert (ping.kind, ping.procedure, ping.oddity) == (kinds.PING, "PING", None)


def test_stream_belongs_to_the_call_that_opened_it() -> None:
    follower = Follower()
    call = follower.follow(_packet(CALL, VOL_UPLOAD), from_client=True, time_s=0)
    follower.follow(_packet(REPLY, VOL_UPLOAD), from_client=False, time_s=0)
    seen = [
        follower.follow(
            _packet(kind, VOL_UPLOAD, 1, status, payload=payload), from_client=True, time_s=0
        )
        for kind, status, payload in (
            (STREAM, CONTINUE, b"data"),
            (STREAM, CONTINUE, b""),
            (HOLE, CONTINUE, b"\0" * 12),
            (STREAM, OK, b""),
        )
    ]
    assert [each.kind for each in seen] == [kinds.DATA, kinds.END, kinds.HOLE, kinds.FINISH]
    assert all(each.call is call for each in seen)
    done = follower.follow(_packet(STREAM, VOL_UPLOAD), from_client=False, time_s=0)
    assert (done.kind, done.call) == (kinds.FINISH, call)
    late = follower.follow(
        _packet(STREAM, VOL_UPLOAD, 1, CONTINUE, payload=b"x"), from_client=False, time_s=0
    )
    assert late.oddity == "no stream with serial 1 was seen"


def test_calls_that_are_too_large_together_are_forgotten_the_oldest_first() -> None:
    follower = Follower()
    large = bytes(1 << 20)
    for serial in range(100):
        follower.follow(_packet(CALL, serial=serial, payload=large), from_client=True, time_s=0)
    kept = follower.unanswered
    assert 4 <= len(kept) <= 8
    assert kept[-1].packet.serial == 99
    whole = bytes(32 << 20)
    follower.follow(_packet(CALL, serial=200, payload=whole), from_client=True, time_s=0)
    assert [call.packet.serial for call in follower.unanswered] == [200]
    reply = follower.follow(_packet(REPLY, serial=200), from_client=False, time_s=1)
    assert reply.latency_s == 1


def test_many_small_calls_are_all_kept() -> None:
    follower = Follower()
    for serial in range(5000):
        follower.follow(_packet(CALL, serial=serial, payload=bytes(64)), from_client=True, time_s=0)
    assert len(follower.unanswered) == 5000


def test_what_crosses_the_end_of_a_stream_is_not_odd() -> None:
    follower = Follower()
    call = follower.follow(_packet(CALL, VOL_UPLOAD), from_client=True, time_s=0)
    follower.follow(_packet(REPLY, VOL_UPLOAD), from_client=False, time_s=0)
    follower.follow(_packet(STREAM, VOL_UPLOAD, status=ERROR), from_client=False, time_s=0)
    data = _packet(STREAM, VOL_UPLOAD, 1, CONTINUE, b"data")
    late = follower.follow(data, from_client=True, time_s=0)
    assert (late.call, late.oddity) == (call, None)
    abort = _packet(STREAM, VOL_UPLOAD, status=ERROR)
    assert follower.follow(abort, from_client=True, time_s=0).oddity is None
    assert follower.follow(data, from_client=True, time_s=0).oddity is not None
