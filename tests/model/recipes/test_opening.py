"""Opening a connection: which calls, in which order, and what comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import AuthenticationError, LibvirtError, NoSupportError
from virtproto.model.recipes.opening import be_let_in, keepalive_question, open_connection
from virtproto.model.uri import parse_uri
from virtproto.wire import remote

REFUSED = LibvirtError("no", code=1)


def test_being_let_in() -> None:
    calls, _ = drive(be_let_in(parse_uri("qemu:///system")), [remote.AuthListRet(types=[0])])
    assert calls == [("AUTH_LIST", None)]


def test_opening() -> None:
    calls, uri = drive(open_connection(parse_uri("qemu:///system"), readonly=True), [None])
    assert calls == [("CONNECT_OPEN", remote.ConnectOpenArgs(name="qemu:///system", flags=1))]
    assert uri == "qemu:///system"


def test_opening_without_a_uri() -> None:
    chosen = remote.ConnectGetUriRet(uri="xen:///system")
    calls, uri = drive(open_connection(None, readonly=False), [None, chosen])
    assert calls == [
        ("CONNECT_OPEN", remote.ConnectOpenArgs(name="", flags=0)),
        ("CONNECT_GET_URI", None),
    ]
    assert uri == "xen:///system"


def test_the_question_for_keepalive() -> None:
    procedure, packed = keepalive_question()
    assert procedure.name == "CONNECT_SUPPORTS_FEATURE"
    assert remote.ConnectSupportsFeatureArgs.unpack(packed).feature == 10


@pytest.mark.parametrize("answers", [[REFUSED], [None, REFUSED]])
def test_a_refusal_of_a_needed_step_ends_the_opening(answers: list[Any]) -> None:
    with pytest.raises(LibvirtError):
        drive(open_connection(None, readonly=False), answers)


def test_a_refusal_to_tell_who_is_let_in() -> None:
    with pytest.raises(LibvirtError):
        drive(be_let_in(None), [REFUSED])


@pytest.mark.parametrize(
    ("offered", "auth", "chosen"),
    [
        ([], None, 0),
        ([0], None, 0),
        ([0, 1], None, 0),
        ([1], None, 1),
        ([2, 0], None, 2),
        ([1, 2], "polkit", 2),
        ([0, 1], "SASL", 1),
        ([1], "sasl.PLAIN", 1),
    ],
)
def test_the_first_offer_counts_unless_the_uri_says(
    offered: list[int], auth: str | None, chosen: int
) -> None:
    uri = parse_uri(f"test:///default?auth={auth}") if auth is not None else None
    _, kind = drive(be_let_in(uri), [remote.AuthListRet(types=offered)])
    assert kind == chosen


@pytest.mark.parametrize(
    ("offered", "auth", "words"),
    [
        ([77], None, "authentication by type 77 (it offers type 77), which is not known"),
        ([], "sasl", "the URI wants authentication by sasl; the daemon offers nothing"),
        ([0], "polkit", "the URI wants authentication by polkit; the daemon offers none"),
        ([2], "sasl.PLAIN", "the URI wants authentication by sasl; the daemon offers polkit"),
    ],
)
def test_what_cannot_be_agreed_on(offered: list[int], auth: str | None, words: str) -> None:
    uri = parse_uri(f"test:///default?auth={auth}") if auth is not None else None
    with pytest.raises(AuthenticationError) as caught:
        drive(be_let_in(uri), [remote.AuthListRet(types=offered)])
    assert words in str(caught.value)


def test_a_daemon_from_before_there_was_authentication() -> None:
    unknown = NoSupportError("unknown procedure: 66", code=3)
    assert drive(be_let_in(None), [unknown]) == ([("AUTH_LIST", None)], 0)
