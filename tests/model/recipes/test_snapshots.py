"""Recipes on snapshots and checkpoints: lists that change meanwhile, and flags that exclude."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import InvalidArgError, NoDomainSnapshotError, UsageError
from virtproto.model.recipes.snapshots import (
    create_checkpoint,
    create_snapshot,
    delete_checkpoint,
    delete_snapshot,
    list_child_snapshot_names,
    list_child_snapshots,
    list_snapshot_names,
    list_snapshots,
    revert_to_snapshot,
)
from virtproto.wire import remote
from virtproto.wire.remote.types import (
    NonnullDomain,
    NonnullDomainCheckpoint,
    NonnullDomainSnapshot,
)

DOMAIN = NonnullDomain(name="web", uuid=bytes(16), id=7)
FIRST = NonnullDomainSnapshot(name="first", dom=DOMAIN)
SECOND = NonnullDomainSnapshot(name="second", dom=DOMAIN)
POINT = NonnullDomainCheckpoint(name="point", dom=DOMAIN)
GONE = NoDomainSnapshotError("it has been deleted", code=72)


def lookup(name: str) -> tuple[str, Any]:
    args = remote.DomainSnapshotLookupByNameArgs(dom=DOMAIN, name=name, flags=0)
    return "DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", args


def found(snapshot: NonnullDomainSnapshot) -> Any:
    return remote.DomainSnapshotLookupByNameRet(snap=snapshot)


def test_names_are_asked_for_as_many_as_a_reply_holds() -> None:
    named = remote.DomainSnapshotListNamesRet(names=["first"])
    args = remote.DomainSnapshotListNamesArgs(dom=DOMAIN, maxnames=16384, flags=1)
    assert drive(list_snapshot_names(DOMAIN, flags=1), [named]) == (
        [("DOMAIN_SNAPSHOT_LIST_NAMES", args)],
        ["first"],
    )


def test_names_of_children() -> None:
    named = remote.DomainSnapshotListChildrenNamesRet(names=["second"])
    args = remote.DomainSnapshotListChildrenNamesArgs(snap=FIRST, maxnames=16384, flags=0)
    assert drive(list_child_snapshot_names(FIRST, flags=0), [named]) == (
        [("DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", args)],
        ["second"],
    )


def test_a_snapshot_that_vanishes_while_they_are_listed_is_left_out() -> None:
    named = remote.DomainSnapshotListNamesRet(names=["first", "lost", "second"])
    calls, snapshots = drive(
        list_snapshots(DOMAIN, flags=0), [named, found(FIRST), GONE, found(SECOND)]
    )
    assert calls[1:] == [lookup("first"), lookup("lost"), lookup("second")]
    assert snapshots == [FIRST, SECOND]


def test_another_error_ends_the_list() -> None:
    named = remote.DomainSnapshotListNamesRet(names=["first", "second"])
    with pytest.raises(InvalidArgError):
        drive(list_snapshots(DOMAIN, flags=0), [named, InvalidArgError("no", code=8)])


def test_children_are_looked_up_in_the_domain() -> None:
    named = remote.DomainSnapshotListChildrenNamesRet(names=["lost", "second"])
    calls, snapshots = drive(list_child_snapshots(FIRST, flags=0), [named, GONE, found(SECOND)])
    assert calls[1:] == [lookup("lost"), lookup("second")]
    assert snapshots == [SECOND]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (2, "CURRENT goes with REDEFINE only"),
        (1 | 4, "REDEFINE and NO_METADATA exclude each other"),
        (1 | 8, "REDEFINE and HALT exclude each other"),
    ],
)
def test_taking_a_snapshot_refuses(flags: int, words: str) -> None:
    with pytest.raises(UsageError, match=f"^flags: {words}"):
        next(create_snapshot(DOMAIN, xml="<domainsnapshot/>", flags=flags))


@pytest.mark.parametrize("flags", [0, 1, 1 | 2, 4 | 8 | 16])
def test_taking_a_snapshot(flags: int) -> None:
    args = remote.DomainSnapshotCreateXmlArgs(dom=DOMAIN, xml_desc="<x/>", flags=flags)
    made = remote.DomainSnapshotCreateXmlRet(snap=FIRST)
    recipe = create_snapshot(DOMAIN, xml="<x/>", flags=flags)
    assert drive(recipe, [made]) == ([("DOMAIN_SNAPSHOT_CREATE_XML", args)], FIRST)


def test_reverting_is_to_a_running_domain_or_to_a_paused_one() -> None:
    with pytest.raises(UsageError, match=r"^flags: RUNNING and PAUSED exclude each other"):
        next(revert_to_snapshot(FIRST, flags=3))
    args = remote.DomainRevertToSnapshotArgs(snap=FIRST, flags=2 | 4)
    recipe = revert_to_snapshot(FIRST, flags=2 | 4)
    assert drive(recipe, [None]) == ([("DOMAIN_REVERT_TO_SNAPSHOT", args)], None)


def test_deleting_takes_the_children_too_or_alone() -> None:
    words = "^flags: CHILDREN and CHILDREN_ONLY exclude each other"
    with pytest.raises(UsageError, match=words):
        next(delete_snapshot(FIRST, flags=1 | 4))
    with pytest.raises(UsageError, match=words):
        next(delete_checkpoint(POINT, flags=1 | 4))
    assert drive(delete_snapshot(FIRST, flags=1 | 2), [None]) == (
        [("DOMAIN_SNAPSHOT_DELETE", remote.DomainSnapshotDeleteArgs(snap=FIRST, flags=3))],
        None,
    )
    args = remote.DomainCheckpointDeleteArgs(checkpoint=POINT, flags=4)
    recipe = delete_checkpoint(POINT, flags=4)
    assert drive(recipe, [None]) == ([("DOMAIN_CHECKPOINT_DELETE", args)], None)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (1 | 2, "REDEFINE and QUIESCE exclude each other"),
        (4, "REDEFINE_VALIDATE goes with REDEFINE only"),
    ],
)
def test_making_a_checkpoint_refuses(flags: int, words: str) -> None:
    with pytest.raises(UsageError, match=f"^flags: {words}"):
        next(create_checkpoint(DOMAIN, xml="<domaincheckpoint/>", flags=flags))


@pytest.mark.parametrize("flags", [0, 2, 1 | 4])
def test_making_a_checkpoint(flags: int) -> None:
    args = remote.DomainCheckpointCreateXmlArgs(dom=DOMAIN, xml_desc="<x/>", flags=flags)
    made = remote.DomainCheckpointCreateXmlRet(checkpoint=POINT)
    recipe = create_checkpoint(DOMAIN, xml="<x/>", flags=flags)
    assert drive(recipe, [made]) == ([("DOMAIN_CHECKPOINT_CREATE_XML", args)], POINT)
