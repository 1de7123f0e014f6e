"""Migration protocols 2 and 1: the order of their calls, and what each of them carries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.conversations import NO, feature, play
from virtproto.errors import ConnectionLostError, DeadlineError, LibvirtError
from virtproto.model.recipes.migration_terms import Terms
from virtproto.model.recipes.migration_v2 import migrate_v1, migrate_v2
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain

HERE = NonnullDomain(name="web", uuid=bytes(16), id=7)
THERE = NonnullDomain(name="web", uuid=bytes(16), id=1)
LIVE, PAUSED, ABORT_ON_ERROR, AUTO_CONVERGE = 1, 32, 4096, 8192

REFUSED = LibvirtError("no", code=1)
DROPPED = LibvirtError("dropped as told", code=93, domain=10)
XML = remote.DomainGetXmlDescRet(xml="<domain/>")


def info(state: int) -> remote.DomainGetInfoRet:
    return remote.DomainGetInfoRet(state=state, maxMem=0, memory=0, nrVirtCpu=1, cpuTime=0)


def prepared(uri: str | None, version: int) -> Any:
    kind = remote.DomainMigratePrepare2Ret if version == 2 else remote.DomainMigratePrepareRet
    return kind(cookie=b"c", uri_out=uri)


def finished(version: int) -> Any:
    kind = remote.DomainMigrateFinish2Ret if version == 2 else remote.DomainMigrateFinishRet
    return kind(ddom=THERE)


def recipe(version: int, flags: int = LIVE, **terms: Any) -> Any:
    return (migrate_v2 if version == 2 else migrate_v1)(HERE, Terms(**terms), flags)


def script(version: int, **changed: Any) -> list[tuple[str, Any]]:
    """Return the script of a migration without a fault, with other answers where given."""
    suffix = "2" if version == 2 else ""
    lines = {
        "feature": feature(11),
        "xml": ("source DOMAIN_GET_XML_DESC", XML),
        "info": ("source DOMAIN_GET_INFO", info(1)),
        "prepare": (
            f"destination DOMAIN_MIGRATE_PREPARE{suffix}",
            prepared("tcp://there", version),
        ),
        "perform": ("source DOMAIN_MIGRATE_PERFORM", None),
        "finish": (f"destination DOMAIN_MIGRATE_FINISH{suffix}", finished(version)),
    }
    if version == 1:
        del lines["feature"], lines["xml"]
    return [(line, changed.get(name, answer)) for name, (line, answer) in lines.items()]


@pytest.fixture(params=[2, 1], ids=["v2", "v1"])
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def finish_of(version: int) -> str:
    return "DOMAIN_MIGRATE_FINISH2" if version == 2 else "DOMAIN_MIGRATE_FINISH"


def test_what_each_call_of_protocol_2_carries() -> None:
    flags = LIVE | ABORT_ON_ERROR | AUTO_CONVERGE
    played = play(recipe(2, flags, name="other", uri="tcp://a", bandwidth=5), script(2))
    assert played.result == THERE
    assert played.args("DOMAIN_GET_XML_DESC").flags == 8
    assert played.args("DOMAIN_MIGRATE_PREPARE2") == remote.DomainMigratePrepare2Args(
        uri_in="tcp://a", flags=LIVE, dname="other", resource=5, dom_xml="<domain/>"
    )
    assert played.args("DOMAIN_MIGRATE_PERFORM") == remote.DomainMigratePerformArgs(
        dom=HERE, cookie=b"c", uri="tcp://there", flags=flags, dname="other", resource=5
    )
    assert played.args("DOMAIN_MIGRATE_FINISH2") == remote.DomainMigrateFinish2Args(
        dname="other", cookie=b"c", uri="tcp://there", flags=LIVE, retcode=0
    )
    assert played.patient() == {"DOMAIN_MIGRATE_PERFORM", "DOMAIN_MIGRATE_FINISH2"}


def test_what_each_call_of_protocol_1_carries() -> None:
    flags = LIVE | ABORT_ON_ERROR | AUTO_CONVERGE
    kept = prepared(None, 1)
    played = play(recipe(1, flags, uri="tcp://a", bandwidth=5), script(1, prepare=kept))
    assert played.result == THERE
    assert played.args("DOMAIN_MIGRATE_PREPARE") == remote.DomainMigratePrepareArgs(
        uri_in="tcp://a", flags=LIVE, dname=None, resource=5
    )
    assert played.args("DOMAIN_MIGRATE_PERFORM") == remote.DomainMigratePerformArgs(
        dom=HERE, cookie=b"c", uri="tcp://a", flags=flags, dname=None, resource=5
    )
    assert played.args("DOMAIN_MIGRATE_FINISH") == remote.DomainMigrateFinishArgs(
        dname="web", cookie=b"c", uri="tcp://a", flags=LIVE
    )


def test_a_daemon_without_migratable_xml_is_asked_for_what_comes_closest() -> None:
    lines = script(2)
    lines[0] = feature(11, NO)
    assert play(recipe(2), lines).args("DOMAIN_GET_XML_DESC").flags == 5


def test_a_paused_guest_stays_paused(version: int) -> None:
    played = play(recipe(version), script(version, info=info(3)))
    assert played.args("DOMAIN_MIGRATE_PERFORM").flags == LIVE | PAUSED


def test_a_state_that_cannot_be_learned_changes_nothing(version: int) -> None:
    played = play(recipe(version), script(version, info=REFUSED))
    assert played.args("DOMAIN_MIGRATE_PERFORM").flags == LIVE


@pytest.mark.parametrize("step", ["xml", "prepare"])
def test_a_refusal_before_the_transfer_is_the_end(step: str) -> None:
    lines = script(2, **{step: REFUSED})
    end = next(place for place, (_, answer) in enumerate(lines) if answer is REFUSED)
    assert play(recipe(2), lines[: end + 1]).error is REFUSED


def test_a_destination_that_names_no_uri() -> None:
    lines = script(2, prepare=prepared(None, 2), finish=DROPPED)
    del lines[4]
    played = play(recipe(2), lines)
    assert isinstance(played.error, LibvirtError)
    assert played.error.code == 1
    assert played.args("DOMAIN_MIGRATE_FINISH2").retcode == 1
    played = play(recipe(1), script(1, prepare=prepared(None, 1))[:2])
    assert isinstance(played.error, LibvirtError)
    assert played.error.code == 1


@pytest.mark.parametrize("error", [REFUSED, ConnectionLostError("gone")])
@pytest.mark.parametrize("answer", [DROPPED, finished(2), ConnectionLostError("gone")])
def test_a_transfer_that_fails_is_told_to_the_destination(error: Exception, answer: Any) -> None:
    played = play(recipe(2), script(2, perform=error, finish=answer))
    assert played.error is error
    assert played.args("DOMAIN_MIGRATE_FINISH2").retcode == 1


def test_protocol_1_has_no_way_to_tell_the_destination() -> None:
    assert play(recipe(1), script(1, perform=REFUSED)[:-1]).error is REFUSED


def test_a_finish_that_fails_is_the_error(version: int) -> None:
    assert play(recipe(version), script(version, finish=REFUSED)).error is REFUSED


# Callers that stop waiting.

JOB = dict.fromkeys(
    ("type", "timeElapsed", "timeRemaining", "dataTotal", "dataProcessed", "dataRemaining"), 0
)
JOB |= dict.fromkeys(("memTotal", "memProcessed", "memRemaining"), 0)
JOB |= dict.fromkeys(("fileTotal", "fileProcessed", "fileRemaining"), 0)
ABORT = ("source DOMAIN_ABORT_JOB", None)
STOPPED = ("source DOMAIN_GET_JOB_INFO", remote.DomainGetJobInfoRet(**JOB))
AT_WORK = ("source DOMAIN_GET_JOB_INFO", remote.DomainGetJobInfoRet(**{**JOB, "type": 2}))
MOVED = ("source DOMAIN_GET_JOB_INFO", LibvirtError("it does not run", code=55))


@pytest.fixture(params=[KeyboardInterrupt, DeadlineError])
def interrupt(request: pytest.FixtureRequest) -> BaseException:
    made: BaseException = request.param("enough")
    return made


def test_an_interrupted_prepare_is_cancelled(interrupt: BaseException) -> None:
    lines = script(2, prepare=interrupt)[:4]
    finish = ("destination DOMAIN_MIGRATE_FINISH2", DROPPED)
    played = play(recipe(2, uri="tcp://a"), [*lines, finish])
    assert played.error is interrupt
    assert played.args("DOMAIN_MIGRATE_FINISH2").retcode == 1
    assert play(recipe(1), script(1, prepare=interrupt)[:2]).error is interrupt


def test_an_interrupted_transfer_is_aborted(version: int, interrupt: BaseException) -> None:
    lines = script(version, perform=interrupt, finish=DROPPED)
    finish = lines[-1:] if version == 2 else []
    played = play(recipe(version), [*lines[:-1], ABORT, STOPPED, *finish])
    assert played.error is interrupt
    if version == 2:
        assert played.args("DOMAIN_MIGRATE_FINISH2").retcode == 1


def test_a_guest_that_has_left_the_source_is_not_dropped_at_the_destination(
    version: int, interrupt: BaseException
) -> None:
    lines = script(version, perform=interrupt)
    played = play(recipe(version), [*lines[:-1], ABORT, AT_WORK, MOVED, lines[-1]])
    assert played.error is interrupt
    if version == 2:
        assert played.args("DOMAIN_MIGRATE_FINISH2").retcode == 0


def test_a_source_that_does_not_stop_is_left_to_itself(
    version: int, interrupt: BaseException
) -> None:
    lines = script(version, perform=interrupt)[:-1]
    played = play(recipe(version), [*lines, ABORT, *[AT_WORK] * 100])
    assert played.error is interrupt
    assert any("still in the hands of the migration" in note for note in interrupt.__notes__)


def test_a_recipe_that_is_dropped_asks_for_nothing_more(version: int) -> None:
    for count in range(len(script(version))):
        dropped = recipe(version)
        next(dropped)
        for _line, answer in script(version)[:count]:
            dropped.send(answer)
        dropped.close()
