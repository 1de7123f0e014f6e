"""Migrations whose caller stops waiting: what the two daemons are asked, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.conversations import feature, play
from virtproto.errors import ConnectionLostError, DeadlineError, LibvirtError
from virtproto.model.recipes.migration import migrate_to_uri
from virtproto.model.recipes.migration_rescue import (
    BUSY,
    FAILED,
    GONE,
    SWITCHED,
    give_up_transfer,
    outcome_at_destination,
    until_accepted,
)
from virtproto.model.recipes.migration_steps import DESTINATION, Call, unanswered
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

HERE = NonnullDomain(name="web", uuid=bytes(16), id=7)
POSTCOPY = 32768
REFUSED = LibvirtError("no", code=55)
# What a destination says of an incoming migration.
UNSUPPORTED = LibvirtError("only the source counts", code=84)
LATE = DeadlineError("no answer")


def job(kind: int) -> remote.DomainGetJobInfoRet:
    names = remote.DomainGetJobInfoRet.__slots__
    return remote.DomainGetJobInfoRet(**{**dict.fromkeys(names, 0), "type": kind})


def state(number: int, reason: int) -> tuple[str, Any]:
    return "source DOMAIN_GET_STATE", remote.DomainGetStateRet(state=number, reason=reason)


def ask(answer: Any, end: str = "source") -> tuple[str, Any]:
    return f"{end} DOMAIN_GET_JOB_INFO", answer


ABORT = ("source DOMAIN_ABORT_JOB", None)
AT_WORK, IDLE = ask(job(2)), ask(job(0))


@pytest.mark.parametrize("answer", [None, REFUSED, ConnectionLostError("gone")])
def test_a_source_that_stops(answer: Any) -> None:
    script = [("source DOMAIN_ABORT_JOB", answer), AT_WORK, AT_WORK, IDLE]
    assert play(give_up_transfer(HERE, 0), script).result is FAILED


@pytest.mark.parametrize("answer", [REFUSED, ConnectionLostError("gone")])
def test_a_source_that_has_no_such_domain_any_more(answer: Any) -> None:
    assert play(give_up_transfer(HERE, 0), [ABORT, AT_WORK, ask(answer)]).result is GONE


def test_a_source_that_does_not_stop() -> None:
    assert play(give_up_transfer(HERE, 0), [ABORT, *[AT_WORK] * 100]).result is BUSY


def test_a_source_that_is_slow_to_answer_is_asked_again() -> None:
    assert play(give_up_transfer(HERE, 0), [ABORT, ask(LATE), IDLE]).result is FAILED
    locked = ask(LibvirtError("cannot lock", code=68))
    assert play(give_up_transfer(HERE, 0), [ABORT, locked, IDLE]).result is FAILED


@pytest.mark.parametrize("reason", [12, 13])
def test_a_guest_that_has_switched_hosts(reason: int) -> None:
    script = [ABORT, AT_WORK, state(1, 0), AT_WORK, state(3, 2), AT_WORK, state(3, reason)]
    assert play(give_up_transfer(HERE, POSTCOPY), script).result is SWITCHED


def test_a_guest_that_could_have_switched_hosts_but_did_not() -> None:
    script = [ABORT, AT_WORK, ("source DOMAIN_GET_STATE", REFUSED), IDLE]
    assert play(give_up_transfer(HERE, POSTCOPY), script).result is FAILED


def test_an_interrupt_ends_the_waiting() -> None:
    interrupt = KeyboardInterrupt()
    assert play(give_up_transfer(HERE, 0), [ABORT, AT_WORK, ask(interrupt)]).error is interrupt


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([job(0)], True),
        ([job(2), LATE, job(0)], True),
        ([UNSUPPORTED, UNSUPPORTED, job(0)], True),
        ([UNSUPPORTED, LibvirtError("no such domain", code=42)], False),
        ([UNSUPPORTED] * 100, None),
        ([job(2), REFUSED], False),
        ([ConnectionLostError("gone")], None),
        ([job(2)] * 100, None),
    ],
)
def test_what_the_destination_made_of_it(answers: list[Any], expected: bool | None) -> None:
    script = [ask(answer, "destination") for answer in answers]
    assert play(outcome_at_destination(HERE), script).result is expected


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([None], 1),
        ([LibvirtError("too early", code=42), None], 2),
        ([LibvirtError("too early", code=42), LibvirtError("dropped", code=93)], 2),
        ([LibvirtError("too early", code=42)] * 20, 20),
        ([ConnectionLostError("gone")], 1),
    ],
)
def test_a_call_that_comes_too_early_is_made_again(answers: list[Any], asked: int) -> None:
    args = remote.DomainLookupByNameArgs(name="web")
    call = Call(DESTINATION, remote.DOMAIN_LOOKUP_BY_NAME, args)
    script = [("destination DOMAIN_LOOKUP_BY_NAME", answer) for answer in answers]
    played = play(until_accepted(call, refused=(42,)), script)
    assert played.error is None
    assert len(played.calls) == asked


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt("enough"), LATE, SystemExit()])
@pytest.mark.parametrize(
    ("after", "noted"),
    [
        ([ABORT, IDLE], False),
        ([ABORT, ask(REFUSED)], False),
        ([ABORT, *[AT_WORK] * 100], True),
    ],
)
def test_a_source_that_leads_by_itself_is_told_to_stop(
    interrupt: BaseException, after: list[tuple[str, Any]], noted: bool
) -> None:
    interrupt.__dict__.pop("__notes__", None)
    uri = "qemu+tcp://there/system"
    recipe = migrate_to_uri(HERE, dest_uri=uri, params=None, flags=2, dname=None, bandwidth=0)
    perform = ("source DOMAIN_MIGRATE_PERFORM3_PARAMS", interrupt)
    played = play(recipe, [feature(4), feature(13), perform, *after])
    assert played.error is interrupt
    assert bool(getattr(interrupt, "__notes__", [])) is noted


def test_which_errors_leave_a_call_unanswered() -> None:
    assert unanswered(LATE)
    assert unanswered(KeyboardInterrupt())
    assert not unanswered(REFUSED)
    assert not unanswered(ConnectionLostError("gone"))
