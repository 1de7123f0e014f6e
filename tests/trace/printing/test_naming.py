"""What numbers are called."""

from __future__ import annotations

from tests.trace.conversations import eventful, listing, packet
from virtproto.constants.enums import ENUMS
from virtproto.trace.following import Follower
from virtproto.trace.printing import naming
from virtproto.trace.printing.naming import error_domain, error_number, names_of


def test_flags_results_and_events_have_their_enums() -> None:
    named = {
        (message.procedure, message.kind): sorted(names_of(message))
        for script in (listing(), eventful())
        for message in script.messages()
    }
    assert named["CONNECT_LIST_ALL_DOMAINS", "call"] == ["flags"]
    assert named["DOMAIN_GET_INFO", "reply"] == ["state"]
    assert named["DOMAIN_GET_INFO", "call"] == []
    assert named["DOMAIN_EVENT_CALLBACK_LIFECYCLE", "event"] == ["event"]


def test_every_enum_named_by_hand_exists() -> None:
    enums = {enum for fields in naming._RESULTS.values() for enum in fields.values()}
    assert enums <= set(ENUMS)


def test_errors_have_names() -> None:
    assert (error_number(42), error_domain(10)) == ("NO_DOMAIN", "QEMU")
    assert (error_number(99999), error_domain(-1)) == (None, None)


def test_unknown_procedures_have_none() -> None:
    unknown = Follower().follow(packet(0, 9999, 1), from_client=True, time_s=0.0)
    assert names_of(unknown) == {}
