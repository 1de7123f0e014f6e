"""Opening a connection: which calls, in which order, and what comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import AuthenticationError, LibvirtError
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


@pytest.mark.parametrize("offered", [[1], [2], [2, 0], [77]])
def test_the_first_offer_counts(offered: list[int]) -> None:
    with pytest.raises(AuthenticationError):
        drive(be_let_in(None), [remote.AuthListRet(types=offered)])
