"""Opening a connection: which calls, in which order, and what comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import AuthenticationError, LibvirtError
from virtproto.model.recipes.opening import open_connection
from virtproto.model.uri import parse_uri
from virtproto.wire import remote

REFUSED = LibvirtError("no", code=1)
YES = remote.ConnectSupportsFeatureRet(supported=1)
NO = remote.ConnectSupportsFeatureRet(supported=0)
NONE = remote.AuthListRet(types=[0])


def feature(number: int) -> tuple[str, Any]:
    return "CONNECT_SUPPORTS_FEATURE", remote.ConnectSupportsFeatureArgs(feature=number)


def test_opening_for_one_that_answers_pings() -> None:
    recipe = open_connection(parse_uri("qemu:///system"), readonly=True, answers_pings=True)
    calls, opened = drive(recipe, [NONE, YES, None, NO])
    assert calls == [
        ("AUTH_LIST", None),
        feature(10),
        ("CONNECT_OPEN", remote.ConnectOpenArgs(name="qemu:///system", flags=1)),
        feature(14),
    ]
    assert opened.uri == "qemu:///system"
    assert (opened.keepalive, opened.event_callbacks, opened.close_callbacks) == (True, False, None)


def test_opening_without_a_uri_for_one_that_does_not() -> None:
    recipe = open_connection(None, readonly=False, answers_pings=False)
    uri = remote.ConnectGetUriRet(uri="xen:///system")
    calls, opened = drive(recipe, [NONE, None, uri, REFUSED])
    assert calls == [
        ("AUTH_LIST", None),
        ("CONNECT_OPEN", remote.ConnectOpenArgs(name="", flags=0)),
        ("CONNECT_GET_URI", None),
        feature(14),
    ]
    assert opened.uri == "xen:///system"
    assert (opened.keepalive, opened.event_callbacks, opened.close_callbacks) == (
        False,
        False,
        None,
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_refusal_of_a_needed_step_ends_the_opening(place: int) -> None:
    answers: list[Any] = [NONE, None, None]
    answers[place] = REFUSED
    with pytest.raises(LibvirtError):
        drive(open_connection(None, readonly=False, answers_pings=False), answers[: place + 1])


@pytest.mark.parametrize("offered", [[1], [2], [2, 0], [77]])
def test_the_first_offer_counts(offered: list[int]) -> None:
    recipe = open_connection(None, readonly=False, answers_pings=False)
    with pytest.raises(AuthenticationError):
        drive(recipe, [remote.AuthListRet(types=offered)])
