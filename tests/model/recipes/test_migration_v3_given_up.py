"""Migration protocol 3 whose caller stops waiting: what is still done at either end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.conversations import (
    play,
)
from tests.model.recipes.phases import (
    DROPPED,
    FAILED,
    LIVE,
    POSTCOPY,
    PROTECTED,
    REFUSED,
    RUNNING,
    UNPROTECTED,
    Names,
)
from virtproto.errors import (
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
)
from virtproto.wire import remote

JOB = {"type": 0, "timeElapsed": 0, "timeRemaining": 0, "dataTotal": 0, "dataProcessed": 0}
JOB |= {"dataRemaining": 0, "memTotal": 0, "memProcessed": 0, "memRemaining": 0}
JOB |= {"fileTotal": 0, "fileProcessed": 0, "fileRemaining": 0}
IDLE = remote.DomainGetJobInfoRet(**JOB)
AT_WORK = remote.DomainGetJobInfoRet(**{**JOB, "type": 2})
ABORT = ("source DOMAIN_ABORT_JOB", None)
OVER = ("source DOMAIN_GET_JOB_INFO", IDLE)
BUSY = [("source DOMAIN_GET_JOB_INFO", AT_WORK)] * 100


@pytest.fixture(params=[KeyboardInterrupt, DeadlineError])
def interrupt(request: pytest.FixtureRequest) -> BaseException:
    made: BaseException = request.param("enough")
    return made


@pytest.mark.parametrize("phase", ["begin", "state"])
def test_an_interrupted_begin(names: Names, interrupt: BaseException, phase: str) -> None:
    answers: dict[str, Any] = {"begin": names.begun(b"b"), "state": interrupt}
    if phase == "begin":
        answers = {"begin": interrupt}
    played = play(names.recipe(), [PROTECTED, *names.script(**answers, confirm=REFUSED)])
    assert played.error is interrupt
    assert played.args(names.confirm).cancelled == 1
    assert play(names.recipe(), [UNPROTECTED, *names.script(**answers)]).error is interrupt


def test_an_interrupted_prepare_is_cancelled_once_it_is_there(
    names: Names, interrupt: BaseException
) -> None:
    begun = names.script(begin=names.begun(b"b"), state=names.found(RUNNING), prepare=interrupt)
    early = LibvirtError("no such domain", code=42)
    finishes = [(f"destination {names.finish}", answer) for answer in (early, early, DROPPED)]
    script = [PROTECTED, *begun, *finishes, *names.script(confirm=None)]
    played = play(names.recipe(uri="tcp://a"), script)
    assert played.error is interrupt
    assert played.args(names.finish, 2).cancelled == 1
    assert played.args(names.confirm).cancelled == 1


def test_an_interrupted_transfer_is_aborted_and_cancelled(
    names: Names, interrupt: BaseException
) -> None:
    before = names.all_well(perform=interrupt)[:4]
    script = [PROTECTED, *before, ABORT, OVER, *names.script(finish=DROPPED)]
    played = play(names.recipe(), script)
    assert played.error is interrupt
    assert played.args(names.finish).cancelled == 1


def test_a_transfer_that_had_just_ended_is_undone_at_both_ends(
    names: Names, interrupt: BaseException
) -> None:
    before = names.all_well(perform=interrupt)[:4]
    end = names.script(finish=DROPPED, confirm=None)
    played = play(names.recipe(), [PROTECTED, *before, ABORT, *BUSY, *end])
    assert played.error is interrupt
    assert played.args(names.finish).cancelled == 1
    assert played.args(names.confirm).cancelled == 1


def test_a_guest_that_has_switched_hosts_goes_on_there(
    names: Names, interrupt: BaseException
) -> None:
    before = names.all_well(perform=interrupt)[:4]
    switched = remote.DomainGetStateRet(state=3, reason=12)
    asked = [
        ("source DOMAIN_ABORT_JOB", REFUSED),
        ("source DOMAIN_GET_JOB_INFO", AT_WORK),
        ("source DOMAIN_GET_STATE", switched),
    ]
    after = names.script(finish=names.finished(b"f"), confirm=None)
    played = play(names.recipe(LIVE | POSTCOPY), [PROTECTED, *before, *asked, *after])
    assert played.error is interrupt
    assert played.args(names.finish).cancelled == 0
    assert played.args(names.finish).cookie_in == b""
    assert played.args(names.confirm).cancelled == 0
    assert played.args(names.confirm).cookie_in == b"f"
    assert interrupt.__notes__ == ["The destination has the domain all the same."]


def test_an_interrupted_finish_goes_by_what_the_destination_did(
    names: Names, interrupt: BaseException
) -> None:
    asked = "destination DOMAIN_GET_JOB_INFO"
    before = names.all_well(finish=interrupt)[:5]
    for answer, cancelled in ((IDLE, 0), (LibvirtError("gone", code=42), 1)):
        after = [(asked, AT_WORK), (asked, answer), *names.script(confirm=None)]
        played = play(names.recipe(), [PROTECTED, *before, *after])
        assert played.error is interrupt
        assert played.args(names.confirm).cancelled == cancelled
        assert played.args(names.confirm).cookie_in == b""


def test_a_finish_whose_outcome_is_unknown_leaves_the_source_as_it_is(
    names: Names, interrupt: BaseException
) -> None:
    before = names.all_well(finish=interrupt)[:5]
    after = [("destination DOMAIN_GET_JOB_INFO", ConnectionLostError("gone"))]
    played = play(names.recipe(), [PROTECTED, *before, *after])
    assert played.error is interrupt
    assert any("not known" in note for note in interrupt.__notes__)


def test_an_interrupt_while_cancelling_asks_once_more(names: Names) -> None:
    interrupt = KeyboardInterrupt()
    before = names.all_well(perform=FAILED, finish=interrupt)[:5]
    played = play(names.recipe(), [PROTECTED, *before, *names.script(finish=DROPPED)])
    assert played.error is interrupt


def test_an_interrupted_confirm_is_sent_again(names: Names, interrupt: BaseException) -> None:
    script = names.all_well(confirm=interrupt)
    played = play(names.recipe(), [PROTECTED, *script, *names.script(confirm=REFUSED)])
    assert played.error is interrupt
    assert played.args(names.confirm, 1).cancelled == 0


def test_a_recipe_that_is_dropped_asks_for_nothing_more(names: Names) -> None:
    for count in range(6):
        recipe = names.recipe()
        step = next(recipe)
        for _line, answer in [PROTECTED, *names.all_well()][:count]:
            step = recipe.send(answer)
        assert step is not None
        recipe.close()
