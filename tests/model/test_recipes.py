"""Conversations, driven by hand: which calls, in which order, and what comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto.errors import AuthenticationError, LibvirtError
from virtproto.model.recipes.lifecycle import create
from virtproto.model.recipes.opening import open_connection
from virtproto.model.uri import parse_uri
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

REFUSED = LibvirtError("no", code=1)
STOPPED = NonnullDomain(name="web", uuid=bytes(16), id=-1)
RUNNING = NonnullDomain(name="web", uuid=bytes(16), id=7)
YES = remote.ConnectSupportsFeatureRet(supported=1)
NO = remote.ConnectSupportsFeatureRet(supported=0)
NONE = remote.AuthListRet(types=[0])


def drive(recipe: Any, answers: list[Any]) -> tuple[list[tuple[str, Any]], Any]:
    """Answer a recipe's calls in order; return the calls and what the recipe returned."""
    calls = []
    waiting = list(answers)
    try:
        procedure, args = next(recipe)
        while True:
            calls.append((procedure.name, args))
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                procedure, args = recipe.throw(answer)
            else:
                procedure, args = recipe.send(answer)
    except StopIteration as done:
        assert not waiting
        return calls, done.value


def feature(number: int) -> tuple[str, Any]:
    return "CONNECT_SUPPORTS_FEATURE", remote.ConnectSupportsFeatureArgs(feature=number)


def test_opening_for_one_that_answers_pings() -> None:
    recipe = open_connection(parse_uri("qemu:///system"), readonly=True, answers_pings=True)
    calls, opened = drive(recipe, [NONE, YES, None, NO, YES])
    assert calls == [
        ("AUTH_LIST", None),
        feature(10),
        ("CONNECT_OPEN", remote.ConnectOpenArgs(name="qemu:///system", flags=1)),
        feature(14),
        feature(15),
    ]
    assert opened.uri == "qemu:///system"
    assert (opened.keepalive, opened.event_callbacks, opened.close_callbacks) == (True, False, True)


def test_opening_without_a_uri_for_one_that_does_not() -> None:
    recipe = open_connection(None, readonly=False, answers_pings=False)
    uri = remote.ConnectGetUriRet(uri="xen:///system")
    calls, opened = drive(recipe, [NONE, None, uri, REFUSED, REFUSED])
    assert calls == [
        ("AUTH_LIST", None),
        ("CONNECT_OPEN", remote.ConnectOpenArgs(name="", flags=0)),
        ("CONNECT_GET_URI", None),
        feature(14),
        feature(15),
    ]
    assert opened.uri == "xen:///system"
    assert (opened.keepalive, opened.event_callbacks, opened.close_callbacks) == (False,) * 3


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


def test_starting_a_domain() -> None:
    found = remote.DomainLookupByUuidRet(dom=RUNNING)
    calls, number = drive(create(STOPPED, flags=0), [None, found])
    assert calls == [
        ("DOMAIN_CREATE", remote.DomainCreateArgs(dom=STOPPED)),
        ("DOMAIN_LOOKUP_BY_UUID", remote.DomainLookupByUuidArgs(uuid=STOPPED.uuid)),
    ]
    assert number == 7
    started = remote.DomainCreateWithFlagsRet(dom=RUNNING)
    calls, number = drive(create(STOPPED, flags=2), [started])
    assert calls == [
        ("DOMAIN_CREATE_WITH_FLAGS", remote.DomainCreateWithFlagsArgs(dom=STOPPED, flags=2))
    ]
    assert number == 7
