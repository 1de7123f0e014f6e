"""What a fleet is made of: outcomes, and what may be asked of it."""

from __future__ import annotations

import pytest

from virtproto.errors import ArgumentTypeError, LibvirtError, UsageError
from virtproto.model.fleet import Outcome, check_at_once, chosen, distinct_uris


def test_an_outcome_is_a_value_or_an_error() -> None:
    good = Outcome("test:///a", 5, None, 0.25)
    assert good.result() == 5
    assert good == ("test:///a", 5, None, 0.25)
    error = LibvirtError("no", code=38)
    bad: Outcome[int] = Outcome("test:///b", None, error, 0.5)
    with pytest.raises(LibvirtError) as caught:
        bad.result()
    assert caught.value is error


def test_nothing_is_a_value_too() -> None:
    nothing: Outcome[None] = Outcome("test:///a", None, None, 0.1)
    nothing.result()
    assert nothing.error is None


def test_uris_keep_their_order_and_may_come_from_anywhere() -> None:
    assert distinct_uris("uris", (uri for uri in ["b", "a"])) == ("b", "a")
    assert distinct_uris("uris", {"a": 1}) == ("a",)
    assert distinct_uris("uris", []) == ()


@pytest.mark.parametrize("uris", ["test:///default", b"test", None, 1, [None], ["a", b"b"]])
def test_what_is_no_collection_of_texts_is_refused(uris: object) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^hosts: expected "):
        distinct_uris("hosts", uris)  # type: ignore[arg-type]


def test_a_uri_that_is_there_twice_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"^uris: test:///a is there twice$"):
        distinct_uris("uris", ["test:///a", "test:///b", "test:///a"])


def test_only_what_is_known_can_be_chosen() -> None:
    assert chosen("on", ["b"], ["a", "b"]) == ("b",)
    with pytest.raises(UsageError, match=r"^on: c is none of the fleet's$"):
        chosen("on", ["a", "c"], ["a", "b"])
    with pytest.raises(UsageError, match="twice"):
        chosen("on", ["a", "a"], ["a", "b"])


@pytest.mark.parametrize("value", ["3", None, 2.0, True])
def test_what_is_no_number_of_hosts_is_refused(value: object) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^at_once: expected a number"):
        check_at_once("at_once", value)  # type: ignore[arg-type]


def test_at_least_one_host_is_asked_at_a_time() -> None:
    check_at_once("at_once", 1)
    with pytest.raises(UsageError, match=r"^at_once: it must be at least 1, not 0$"):
        check_at_once("at_once", 0)
