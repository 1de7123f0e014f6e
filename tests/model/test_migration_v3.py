"""Migration protocol 3 in both dialects: the order of its calls, and what each of them carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conversations import NO, YES, Played, feature, play
from virtproto.errors import ConnectionLostError, DeadlineError, LibvirtError
from virtproto.model.recipes.migration_dialects import WithParameters, WithTerms
from virtproto.model.recipes.migration_terms import Terms, params_of
from virtproto.model.recipes.migration_v3 import migrate_v3
from virtproto.wire import remote
from virtproto.wire.remote.types import NonnullDomain
from virtproto.xdr.typedparams import TypedParams

HERE = NonnullDomain(name="web", uuid=bytes(16), id=7)
THERE = NonnullDomain(name="web", uuid=bytes(16), id=1)

LIVE, PAUSED, PROTECTION, OFFLINE = 1, 32, 256, 1024
ABORT_ON_ERROR, AUTO_CONVERGE, POSTCOPY, POSTCOPY_RESUME = 4096, 8192, 32768, 524288

RUNNING, STOPPED_FOR_NOW = 1, 3
QEMU, RPC = 10, 7
REFUSED = LibvirtError("no", code=1)
FAILED = LibvirtError("the source broke", code=9, domain=QEMU)
DROPPED = LibvirtError("dropped as told", code=93, domain=QEMU)


@dataclass(frozen=True)
class Names:
    """The procedures of a dialect, and its results."""

    begin: str
    state: str
    prepare: str
    perform: str
    finish: str
    confirm: str
    params: bool

    def script(self, **answers: Any) -> list[tuple[str, Any]]:
        """Return the lines of the phases that are named, with the answers given, in their order."""
        ends = {"prepare": "destination", "finish": "destination"}
        return [
            (f"{ends.get(phase, 'source')} {getattr(self, phase)}", answer)
            for phase, answer in answers.items()
        ]

    def all_well(self, **changed: Any) -> list[tuple[str, Any]]:
        """Return the script of a migration without a fault."""
        return self.script(
            **{
                "begin": self.begun(b"b"),
                "state": self.found(RUNNING),
                "prepare": self.prepared(b"pr", "tcp://there"),
                "perform": self.performed(b"pe"),
                "finish": self.finished(b"f"),
                "confirm": None,
                **changed,
            }
        )

    def begun(self, cookie: bytes) -> Any:
        kind = remote.DomainMigrateBegin3ParamsRet if self.params else remote.DomainMigrateBegin3Ret
        return kind(cookie_out=cookie, xml="<domain/>")

    def found(self, state: int) -> Any:
        if self.params:
            return remote.DomainGetStateRet(state=state, reason=0)
        return remote.DomainGetInfoRet(state=state, maxMem=0, memory=0, nrVirtCpu=1, cpuTime=0)

    def prepared(self, cookie: bytes, uri: str | None) -> Any:
        kind: Any = remote.DomainMigratePrepare3Ret
        if self.params:
            kind = remote.DomainMigratePrepare3ParamsRet
        return kind(cookie_out=cookie, uri_out=uri)

    def performed(self, cookie: bytes) -> Any:
        kind: Any = remote.DomainMigratePerform3Ret
        if self.params:
            kind = remote.DomainMigratePerform3ParamsRet
        return kind(cookie_out=cookie)

    def finished(self, cookie: bytes) -> Any:
        kind: Any = remote.DomainMigrateFinish3Ret
        if self.params:
            kind = remote.DomainMigrateFinish3ParamsRet
        return kind(dom=THERE, cookie_out=cookie)

    def recipe(self, flags: int = LIVE, **terms: Any) -> Any:
        asked = Terms(**terms)
        if not self.params:
            return migrate_v3(WithTerms(HERE, asked), flags)
        return migrate_v3(WithParameters(HERE, params_of(asked)), flags)


PLAIN = Names(
    "DOMAIN_MIGRATE_BEGIN3",
    "DOMAIN_GET_INFO",
    "DOMAIN_MIGRATE_PREPARE3",
    "DOMAIN_MIGRATE_PERFORM3",
    "DOMAIN_MIGRATE_FINISH3",
    "DOMAIN_MIGRATE_CONFIRM3",
    params=False,
)
PARAMS = Names(
    "DOMAIN_MIGRATE_BEGIN3_PARAMS",
    "DOMAIN_GET_STATE",
    "DOMAIN_MIGRATE_PREPARE3_PARAMS",
    "DOMAIN_MIGRATE_PERFORM3_PARAMS",
    "DOMAIN_MIGRATE_FINISH3_PARAMS",
    "DOMAIN_MIGRATE_CONFIRM3_PARAMS",
    params=True,
)
PROTECTED = feature(7)
UNPROTECTED = feature(7, NO)


@pytest.fixture(params=[PLAIN, PARAMS], ids=["terms", "params"])
def names(request: pytest.FixtureRequest) -> Names:
    found: Names = request.param
    return found


def cookies(played: Played, names: Names) -> list[bytes]:
    """Return the cookies that went out, from Prepare on."""
    phases = (names.prepare, names.perform, names.finish, names.confirm)
    return [
        call.args.cookie_in  # type: ignore[union-attr]
        for call in played.calls
        if call.procedure and call.procedure.name in phases
    ]


def flags_of(played: Played, names: Names) -> list[int]:
    phases = (names.begin, names.prepare, names.perform, names.finish, names.confirm)
    return [
        call.args.flags  # type: ignore[union-attr]
        for call in played.calls
        if call.procedure and call.procedure.name in phases
    ]


def test_a_migration_without_a_fault(names: Names) -> None:
    played = play(
        names.recipe(LIVE | ABORT_ON_ERROR | AUTO_CONVERGE), [PROTECTED, *names.all_well()]
    )
    assert played.error is None
    assert played.result == THERE
    assert cookies(played, names) == [b"b", b"pr", b"pe", b"f"]
    source, destination = LIVE | ABORT_ON_ERROR | AUTO_CONVERGE | PROTECTION, LIVE
    assert flags_of(played, names) == [source, destination, source, destination, source]
    assert played.args(names.finish).cancelled == 0
    assert played.args(names.confirm).cancelled == 0
    assert played.patient() == {names.perform, names.finish, names.confirm}


def test_without_protection_no_call_has_its_flag(names: Names) -> None:
    played = play(names.recipe(), [UNPROTECTED, *names.all_well()])
    assert flags_of(played, names) == [LIVE] * 5


def test_what_each_call_carries_with_terms() -> None:
    terms: dict[str, Any] = {"name": "other", "uri": "tcp://a", "bandwidth": 5, "xml": "<mine/>"}
    prepared = PLAIN.prepared(b"pr", None)
    played = play(PLAIN.recipe(**terms), [UNPROTECTED, *PLAIN.all_well(prepare=prepared)])
    assert played.args(PLAIN.begin) == remote.DomainMigrateBegin3Args(
        dom=HERE, xmlin="<mine/>", flags=LIVE, dname="other", resource=5
    )
    assert played.args(PLAIN.prepare) == remote.DomainMigratePrepare3Args(
        cookie_in=b"b", uri_in="tcp://a", flags=LIVE, dname="other", resource=5, dom_xml="<domain/>"
    )
    assert played.args(PLAIN.perform) == remote.DomainMigratePerform3Args(
        dom=HERE,
        xmlin=None,
        cookie_in=b"pr",
        dconnuri=None,
        uri="tcp://a",
        flags=LIVE,
        dname="other",
        resource=5,
    )
    assert played.args(PLAIN.finish) == remote.DomainMigrateFinish3Args(
        dname="other", cookie_in=b"pe", dconnuri=None, uri="tcp://a", flags=LIVE, cancelled=0
    )
    assert played.args(PLAIN.confirm) == remote.DomainMigrateConfirm3Args(
        dom=HERE, cookie_in=b"f", flags=LIVE, cancelled=0
    )


def test_the_destination_has_the_last_word_on_the_uri_with_terms() -> None:
    played = play(PLAIN.recipe(uri="tcp://a"), [UNPROTECTED, *PLAIN.all_well()])
    assert played.args(PLAIN.perform).uri == "tcp://there"
    assert played.args(PLAIN.finish).uri == "tcp://there"
    assert played.args(PLAIN.finish).dname == "web"


def test_what_each_call_carries_with_params() -> None:
    played = play(PARAMS.recipe(bandwidth=5), [UNPROTECTED, *PARAMS.all_well()])
    asked = {"bandwidth": 5}
    prepared = {**asked, "destination_xml": "<domain/>"}
    performed = {**prepared, "migrate_uri": "tcp://there"}
    finished = {**performed, "destination_name": "web"}
    found = [
        played.args(name).params.to_dict()
        for name in (PARAMS.begin, PARAMS.prepare, PARAMS.perform, PARAMS.finish, PARAMS.confirm)
    ]
    assert found == [asked, prepared, performed, finished, finished]
    assert played.args(PARAMS.perform).dconnuri is None


def test_params_that_are_there_already_keep_their_places() -> None:
    terms: dict[str, Any] = {"name": "other", "uri": "tcp://a", "xml": "<mine/>"}
    played = play(PARAMS.recipe(**terms), [UNPROTECTED, *PARAMS.all_well()])
    order = ["migrate_uri", "destination_name", "destination_xml", "bandwidth"]
    assert list(played.args(PARAMS.begin).params.names) == order
    finish = played.args(PARAMS.finish).params
    assert list(finish.names) == order
    assert list(finish.values) == ["tcp://there", "other", "<domain/>", 0]


def test_a_list_of_disks_travels_whole() -> None:
    disks = [("migrate_disks", 7, disk) for disk in ("vda", "vdb", "vdc")]
    recipe = migrate_v3(WithParameters(HERE, TypedParams.from_items(disks)), LIVE)
    played = play(recipe, [UNPROTECTED, *PARAMS.all_well()])
    multiple = played.args(PARAMS.finish).params.to_multidict()
    assert multiple["migrate_disks"] == ["vda", "vdb", "vdc"]


@pytest.mark.parametrize(
    ("flags", "state", "expected"),
    [
        (LIVE, STOPPED_FOR_NOW, LIVE | PAUSED),
        (LIVE | POSTCOPY_RESUME, STOPPED_FOR_NOW, LIVE | POSTCOPY_RESUME),
        (LIVE, RUNNING, LIVE),
    ],
)
def test_a_paused_guest_stays_paused(names: Names, flags: int, state: int, expected: int) -> None:
    script = names.all_well(state=names.found(state))
    played = play(names.recipe(flags), [UNPROTECTED, *script])
    assert flags_of(played, names) == [flags, *[expected] * 4]


def test_a_state_that_cannot_be_learned_changes_nothing(names: Names) -> None:
    played = play(names.recipe(), [UNPROTECTED, *names.all_well(state=REFUSED)])
    assert played.result == THERE
    assert flags_of(played, names) == [LIVE] * 5


def test_an_offline_migration_transfers_nothing(names: Names) -> None:
    script = names.all_well()
    del script[3]
    played = play(names.recipe(OFFLINE), [PROTECTED, *script])
    assert played.result == THERE
    # What Prepare answered is for Perform alone.
    assert cookies(played, names) == [b"b", b"", b"f"]
    assert played.args(names.finish).cancelled == 0
    assert played.args(names.confirm).cancelled == 0


# Failures.


@pytest.mark.parametrize("protection", [PROTECTED, UNPROTECTED])
def test_a_begin_that_fails_is_the_end(names: Names, protection: tuple[str, Any]) -> None:
    played = play(names.recipe(), [protection, *names.script(begin=REFUSED)])
    assert played.error is REFUSED


def test_a_prepare_that_fails_is_confirmed_to_a_protected_source(names: Names) -> None:
    script = names.script(
        begin=names.begun(b"b"), state=names.found(RUNNING), prepare=REFUSED, confirm=None
    )
    played = play(names.recipe(), [PROTECTED, *script])
    assert played.error is REFUSED
    assert played.args(names.confirm).cancelled == 1
    assert played.args(names.confirm).cookie_in == b""
    assert played.args(names.confirm).flags == LIVE | PROTECTION


def test_a_prepare_that_fails_is_the_end_without_protection(names: Names) -> None:
    script = names.script(begin=names.begun(b"b"), state=names.found(RUNNING), prepare=REFUSED)
    assert play(names.recipe(), [UNPROTECTED, *script]).error is REFUSED


def test_a_destination_that_names_no_uri_is_told_to_drop_the_domain(names: Names) -> None:
    script = names.script(
        begin=names.begun(b"b"),
        state=names.found(RUNNING),
        prepare=names.prepared(b"pr", None),
        finish=DROPPED,
        confirm=None,
    )
    played = play(names.recipe(), [PROTECTED, *script])
    assert isinstance(played.error, LibvirtError)
    assert played.error.code == 1
    assert cookies(played, names) == [b"b", b"pr", b""]
    assert played.args(names.finish).cancelled == 1
    assert played.args(names.confirm).cancelled == 1


@pytest.mark.parametrize("error", [REFUSED, ConnectionLostError("gone")])
def test_a_perform_that_fails_is_not_confirmed(names: Names, error: Exception) -> None:
    script = names.all_well(perform=error, finish=DROPPED)[:-1]
    played = play(names.recipe(), [PROTECTED, *script])
    assert played.error is error
    assert cookies(played, names) == [b"b", b"pr", b""]
    assert played.args(names.finish).cancelled == 1


def test_a_destination_that_ignores_that_it_was_cancelled(names: Names) -> None:
    script = names.all_well(perform=FAILED)[:-1]
    assert play(names.recipe(), [PROTECTED, *script]).error is FAILED


def test_a_finish_that_fails_is_confirmed_as_cancelled(names: Names) -> None:
    played = play(names.recipe(), [PROTECTED, *names.all_well(finish=REFUSED)])
    assert played.error is REFUSED
    assert played.args(names.finish).cancelled == 0
    assert played.args(names.confirm).cancelled == 1
    assert played.args(names.confirm).cookie_in == b""


def test_both_hypervisors_have_their_say(names: Names) -> None:
    died = LibvirtError("the destination broke", code=9, domain=QEMU)
    script = names.all_well(perform=FAILED, finish=died)[:-1]
    error = play(names.recipe(), [PROTECTED, *script]).error
    assert isinstance(error, LibvirtError)
    assert "the source broke" in str(error)
    assert "the destination broke" in str(error)
    assert (error.code, error.domain) == (9, 20)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        (FAILED, DROPPED),
        (FAILED, LibvirtError("lost", code=38, domain=RPC)),
        (FAILED, ConnectionLostError("gone")),
        (LibvirtError("aborted", code=78, domain=QEMU), LibvirtError("x", code=9, domain=QEMU)),
        (LibvirtError("lost", code=9, domain=RPC), LibvirtError("x", code=9, domain=QEMU)),
    ],
)
def test_the_first_error_wins(names: Names, source: Exception, destination: Exception) -> None:
    script = names.all_well(perform=source, finish=destination)[:-1]
    assert play(names.recipe(), [PROTECTED, *script]).error is source


def test_a_confirm_that_fails_is_told_by_a_warning(names: Names) -> None:
    with pytest.warns(RuntimeWarning, match="may have kept the domain"):
        played = play(names.recipe(), [PROTECTED, *names.all_well(confirm=REFUSED)])
    assert played.error is None
    assert played.result == THERE


# Callers that stop waiting. What the source is asked then is in test_migration_rescue.


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


@given(
    flags=st.integers(0, 2**21 - 1).map(lambda bits: bits & ~(PROTECTION | OFFLINE)),
    state=st.integers(0, 8),
    protected=st.booleans(),
    fails=st.sampled_from(["begin", "prepare", "perform", "finish", "confirm", None]),
    dialect=st.sampled_from([PLAIN, PARAMS]),
)
@pytest.mark.filterwarnings("ignore:the source may have kept")
def test_the_domain_is_never_meant_to_run_at_both_ends(
    flags: int, state: int, protected: bool, fails: str | None, dialect: Names
) -> None:
    answers: dict[str, Any] = {"state": dialect.found(state)}
    if fails:
        answers[fails] = REFUSED
    script = dialect.all_well(**answers)
    if fails == "begin":
        script = script[:1]
    elif fails == "prepare":
        script = script[:3] + (dialect.script(confirm=None) if protected else [])
    elif fails == "perform":
        script = script[:5]
    played = play(dialect.recipe(flags), [feature(7, YES if protected else NO), *script])
    names = [call.procedure.name for call in played.calls if call.procedure]
    assert (played.error is None) == (fails in (None, "confirm"))
    cancelled = {
        phase: played.args(getattr(dialect, phase)).cancelled
        for phase in ("finish", "confirm")
        if getattr(dialect, phase) in names
    }
    if played.error is None:
        assert cancelled == {"finish": 0, "confirm": 0}
    elif "confirm" in cancelled:
        assert cancelled["confirm"] == 1
    for call in played.calls:
        if call.procedure and "MIGRATE" in call.procedure.name and call.end == 1:
            assert not call.args.flags & (ABORT_ON_ERROR | AUTO_CONVERGE | PROTECTION)  # type: ignore[union-attr]
