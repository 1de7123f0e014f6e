"""What comes of a call: payloads, and errors with every field of the wire."""

from __future__ import annotations

import copy
import pickle

import pytest

from virtproto.errors import (
    ConnectionLostError,
    DecodeError,
    FramingError,
    LibvirtError,
    NoDomainError,
    NoSupportError,
    SequenceError,
    UnknownProcedureError,
    error_class,
)
from virtproto.model.replies import (
    CLOSED_BY_DAEMON,
    close_reason,
    ended_on_the_way,
    error_from_payload,
    late,
    late_for_return,
    lost,
    lost_by,
    lost_for_good,
    payload_of,
    repeated,
    why_broken,
)
from virtproto.protocol.events import CallFailed, ReplyReceived
from virtproto.wire.remote import AUTH_LIST, DOMAIN_DEL_THROTTLE_GROUP, DOMAIN_GET_INFO
from virtproto.wire.rpc import MessageError
from virtproto.xdr.procedure import Procedure


def packed(
    code: int, message: str | None, *, domain: int = 7, level: int = 2, int1: int = -1
) -> bytes:
    return MessageError(
        code=code,
        domain=domain,
        message=message,
        level=level,
        dom=None,
        str1="one",
        str2=None,
        str3="three",
        int1=int1,
        int2=-2,
        net=None,
    ).pack()


def test_a_good_reply_is_its_payload() -> None:
    assert payload_of(DOMAIN_GET_INFO, ReplyReceived(3, 0, b"abc")) == b"abc"


def test_a_reply_that_makes_no_sense_raises_its_reason() -> None:
    with pytest.raises(SequenceError, match="why"):
        payload_of(DOMAIN_GET_INFO, CallFailed(3, SequenceError("why")))


def test_every_field_of_the_error_is_kept() -> None:
    with pytest.raises(NoDomainError) as caught:
        payload_of(DOMAIN_GET_INFO, ReplyReceived(3, 1, packed(42, "gone", domain=10, int1=5)))
    error = caught.value
    assert str(error) == error.message == "gone"
    assert (error.code, error.domain, error.level) == (42, 10, 2)
    assert (error.str1, error.str2, error.str3) == ("one", None, "three")
    assert (error.int1, error.int2, error.procedure) == (5, -2, "DOMAIN_GET_INFO")


@pytest.mark.parametrize(
    ("code", "kind"), [(0, LibvirtError), (3, NoSupportError), (99999, LibvirtError)]
)
def test_codes_pass_through_and_none_is_no_error(code: int, kind: type[LibvirtError]) -> None:
    error = error_from_payload(DOMAIN_GET_INFO, packed(code, None))
    assert type(error) is kind
    assert error.code == code
    assert error.message is None
    assert str(error) == "the daemon gave no reason"


@pytest.mark.parametrize("domain", [7, 13])
def test_an_unknown_procedure_is_named_with_its_release(domain: int) -> None:
    payload = packed(39, "unknown procedure: 452", domain=domain)
    error = error_from_payload(DOMAIN_DEL_THROTTLE_GROUP, payload)
    assert isinstance(error, UnknownProcedureError)
    assert (error.code, error.domain, error.since) == (3, domain, "11.2.0")
    assert error.message == "unknown procedure: 452"
    assert str(error) == (
        "DOMAIN_DEL_THROTTLE_GROUP is not known to this daemon; it takes libvirt 11.2.0 or later"
    )


def test_a_bound_on_the_release_is_not_said_to_be_the_first() -> None:
    error = error_from_payload(AUTH_LIST, packed(39, "unknown procedure: 66"))
    assert isinstance(error, UnknownProcedureError)
    assert error.since == "<=7.0.0"
    assert (
        str(error) == "AUTH_LIST is not known to this daemon; it came with libvirt 7.0.0 or earlier"
    )


def test_a_procedure_of_nobodys_has_no_release() -> None:
    made_up: Procedure[None, None] = Procedure(0x20008086, 1, 9999, "MADE_UP")
    error = error_from_payload(made_up, packed(39, "unknown procedure: 9999"))
    assert isinstance(error, UnknownProcedureError)
    assert error.since is None
    assert str(error) == "MADE_UP is not known to this daemon (unknown procedure: 9999)"


@pytest.mark.parametrize(
    "payload",
    [
        packed(39, "Cannot find program 1 version 1"),
        packed(39, "unknown procedure: 1", domain=10),
        packed(39, "unknown procedure: 1", level=1),
        packed(39, None),
        packed(1, "unknown procedure: 1"),
    ],
)
def test_what_only_looks_like_it_is_left_alone(payload: bytes) -> None:
    error = error_from_payload(DOMAIN_GET_INFO, payload)
    assert type(error) is error_class(error.code)
    assert not isinstance(error, UnknownProcedureError)
    assert error.code in (1, 39)


@pytest.mark.parametrize("size", [0, 3, 10, 20])
def test_an_error_that_cannot_be_read_is_a_decode_error(size: int) -> None:
    with pytest.raises(DecodeError):
        payload_of(DOMAIN_GET_INFO, ReplyReceived(3, 1, packed(42, "gone")[:size]))


def test_words() -> None:
    assert str(late(DOMAIN_GET_INFO, 1.5)) == "DOMAIN_GET_INFO: no answer within 1.5 s"
    assert str(late(DOMAIN_GET_INFO, None)) == "DOMAIN_GET_INFO: no answer in time"
    assert str(lost(None, "why")) == "the connection ended, why"
    assert "(5 bytes of" in str(lost(DOMAIN_GET_INFO, "why", 5))
    assert why_broken(BrokenPipeError(32, "x")) == "the daemon closed it"
    assert why_broken(OSError(5, "Input/output error")) == "it broke: Input/output error"


def test_a_call_that_may_have_run_says_so() -> None:
    error = lost(DOMAIN_GET_INFO, "why")
    assert error.may_have_run
    assert str(error) == (
        "DOMAIN_GET_INFO: the connection ended, why; the call may have run, and was not made again"
    )
    unsent = lost(DOMAIN_GET_INFO, "why", may_have_run=False)
    assert not unsent.may_have_run
    assert str(unsent) == "DOMAIN_GET_INFO: the connection ended, why; nothing of the call was sent"
    assert not lost(None, "why").may_have_run


@pytest.mark.parametrize("may_have_run", [True, False])
def test_what_became_of_a_call_survives_pickling_and_copying(may_have_run: bool) -> None:
    error = lost(DOMAIN_GET_INFO, "why", may_have_run=may_have_run)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), repeated(error)):
        assert isinstance(again, ConnectionLostError)
        assert again is not error
        assert again.may_have_run is may_have_run
        assert str(again) == str(error)


def test_the_cores_reason_for_the_end_is_that_of_each_call() -> None:
    silent = ConnectionLostError("no answer for 30 s")
    error = lost_by(DOMAIN_GET_INFO, silent)
    assert isinstance(error, ConnectionLostError)
    assert error.may_have_run
    assert "no answer for 30 s" in str(error)
    garbled = FramingError("bad", offset=4)
    again = lost_by(DOMAIN_GET_INFO, garbled)
    assert type(again) is FramingError
    assert again is not garbled
    unsent = lost_by(DOMAIN_GET_INFO, garbled, may_have_run=False)
    assert isinstance(unsent, ConnectionLostError)
    assert not unsent.may_have_run
    assert "bad" in str(unsent)


def test_errors_of_calls_that_were_never_sent_say_so() -> None:
    assert "never sent, as 4 long calls" in str(late(DOMAIN_GET_INFO, 2.0, held_by=4))
    failure = OSError("nobody there")
    waited = late_for_return(DOMAIN_GET_INFO, 2.0, failure)
    assert "not back within 2 s (last failure: nobody there); nothing was sent" in str(waited)
    assert "not back in time; nothing" in str(late_for_return(DOMAIN_GET_INFO, None, None))
    given_up = lost_for_good("the daemon closed it", failure)
    assert not given_up.may_have_run
    assert given_up.__cause__ is failure
    assert "it ended, the daemon closed it, and could not be opened anew: nobody there" in str(
        given_up
    )


@pytest.mark.parametrize(
    ("why", "told", "reason"),
    [
        (CLOSED_BY_DAEMON, "ssh to h ended on the way: no route", 1),
        ("it failed: x", "it failed: x (no route)", 0),
    ],
)
def test_what_ends_on_the_way_is_not_taken_for_the_daemon(why: str, told: str, reason: int) -> None:
    assert ended_on_the_way("ssh to h", "no route", why) == told
    assert close_reason(told, None) == reason


def test_a_repeated_error_is_equal_and_another() -> None:
    first = FramingError("bad", offset=4, path="p")
    second = repeated(first)
    assert isinstance(second, FramingError)
    assert second is not first
    assert (str(second), second.offset, second.path) == (str(first), 4, "p")
    lost_again = repeated(ConnectionLostError("gone"))
    assert type(lost_again) is ConnectionLostError
    assert str(lost_again) == "gone"
