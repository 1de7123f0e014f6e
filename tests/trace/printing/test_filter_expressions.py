"""Expressions of --filter: what they let pass, what they keep together, how they are refused."""

from __future__ import annotations

import pytest

from tests.trace.conversations import Script, eventful, listing, secretive, uploading
from virtproto.errors import UsageError
from virtproto.trace.printing.filter_expressions import Filter
from virtproto.trace.printing.lines import status_word


def _picked(script: Script, text: str) -> list[str]:
    chosen = Filter(text)
    found = [each for message in script.messages() for each in chosen.pick(message)]
    return [f"{each.packet.serial} {status_word(each)} {each.procedure}" for each in found]


LOOKUP = ["5 call DOMAIN_LOOKUP_BY_NAME", "5 error DOMAIN_LOOKUP_BY_NAME"]
EVENT = "1 event DOMAIN_EVENT_CALLBACK_LIFECYCLE"


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("DOMAIN_LOOKUP_*", LOOKUP),
        ("domain_lookup", LOOKUP),
        ("remote:DOMAIN_LOOKUP_BY_NAME", LOOKUP),
        ("REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME", LOOKUP),
        ("#23", LOOKUP),
        ("remote:#23", LOOKUP),
        ("qemu:#23", []),
        ("error", LOOKUP),
        ("error = 42", LOOKUP),
        ("error = NO_DOMAIN", LOOKUP),
        ("error = VIR_ERR_NO_DOMAIN", LOOKUP),
        ("error != 42", []),
        ("~ nobody", LOOKUP),
        ('DOMAIN_* and ~ "matching name"', LOOKUP),
        ("event", [EVENT]),
        ("daemon and event", [EVENT]),
        ("client and event", []),
        ("ping or event", [EVENT, "0 ping PING"]),
        ("keepalive", ["0 ping PING", "0 pong PONG"]),
        ("event or error", [EVENT, *LOOKUP]),
        ("~ 'event=STARTED'", [EVENT]),
        ("call and domain_lookup", LOOKUP[:1]),
        ("reply && domain_lookup", LOOKUP[1:]),
        ("serial = 5 and not error", []),
        ("serial = 5 and (error or ok)", LOOKUP),
        ("odd", []),
        ("conversation = 2", []),
        ("size > 1M || fds > 0", []),
        ("node_get_info", ["6 call NODE_GET_INFO"]),
        ("in_flight = 1 and serial = 5", LOOKUP),
    ],
)
def test_expressions_pick_messages(text: str, picked: list[str]) -> None:
    assert _picked(eventful(), text) == picked


def test_errors_and_late_replies_bring_their_calls() -> None:
    script = Script(step_s=0.001)
    quick = script.call("CONNECT_GET_TYPE")
    slow = script.call("NODE_GET_INFO")
    script.refuse(quick, "no")
    for _ in range(20):
        script.ping()
    script.refuse(slow, "no")
    both = ["2 call NODE_GET_INFO", "2 error NODE_GET_INFO"]
    assert _picked(script, "latency > 10ms") == both
    assert _picked(script, "latency >= 0.01s and error") == both
    assert _picked(script, "not latency < 10ms and not keepalive") == both
    assert _picked(script, "latency < 10ms") == [
        "1 call CONNECT_GET_TYPE",
        "1 error CONNECT_GET_TYPE",
    ]
    assert _picked(script, "ok") == []


def test_not_error_leaves_out_calls_that_fail_with_their_errors() -> None:
    picked = _picked(eventful(), "not error and not keepalive and not event")
    assert picked
    # What a call comes to is known with its reply; one that is taken at its word has none.
    assert not [each for each in picked if "LOOKUP" in each]


def test_stream_goes_with_its_call() -> None:
    picked = _picked(uploading(), "vol_upload")
    assert [each.split()[1] for each in picked] == [
        *("call", "ok", "data", "data", "data", "end", "finish", "finish")
    ]
    assert len(_picked(uploading(), "stream")) == 6
    assert len(_picked(uploading(), "vol_upload and not data")) == 5
    assert len(_picked(uploading(), "~ disk.img")) == 8
    assert _picked(uploading(), "size > 1000 and data") == ["4 data STORAGE_VOL_UPLOAD"] * 3


def test_secrets_cannot_be_searched_for() -> None:
    assert _picked(secretive("hunter2-and-more"), "~ hunter2") == []
    assert _picked(listing(), "~ guest-00001") != []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the expression is empty; there are"),
        ("DOMAIN_NOSUCH", "no procedure matches 'DOMAIN_NOSUCH'"),
        ("nosuch:*", "no procedure matches"),
        ("call and", "something is missing after"),
        ("(call", "a parenthesis is not closed"),
        ("call)", "')' was not expected"),
        ("call reply", "'reply' was not expected"),
        ("latency", "latency has to be compared"),
        ("latency > soon", "latency: expected a number such as 10ms, not 'soon'"),
        ("latency > 10K", "latency: expected a number such as 10ms, not '10K'"),
        ("size > 10ms", "size: expected a number such as 64K, not '10ms'"),
        ("error = NO_SUCH", "error: expected a number such as NO_DOMAIN"),
        ("'text'", "'text' stands alone: fields that have a text are ~ 'text'"),
        ("> 5", "'>' was not expected"),
        ("or", "'or' was not expected"),
        ('~ "open', "cannot be read"),
        ("(" * 200, "more parentheses"),
        ("not " * 5000 + "(" * 60, "more parentheses"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_there_is(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Filter(text)
    assert says in str(caught.value)
    assert "--filter" in str(caught.value)
