"""Migration protocol 3 in both dialects: the order of its calls, and what each of them carries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.recipes.conversations import (
    NO,
    YES,
    Played,
    feature,
    play,
)
from tests.model.recipes.phases import (
    ABORT_ON_ERROR,
    AUTO_CONVERGE,
    DROPPED,
    FAILED,
    HERE,
    LIVE,
    OFFLINE,
    PARAMS,
    PAUSED,
    PLAIN,
    POSTCOPY_RESUME,
    PROTECTED,
    PROTECTION,
    QEMU,
    REFUSED,
    RPC,
    RUNNING,
    STOPPED_FOR_NOW,
    THERE,
    UNPROTECTED,
    Names,
)
from virtproto.errors import (
    ConnectionLostError,
    LibvirtError,
)
from virtproto.model.recipes.migration_dialects import WithParameters
from virtproto.model.recipes.migration_v3 import migrate_v3
from virtproto.wire import remote
from virtproto.xdr.typedparams import TypedParams


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
