"""Recipes on snapshots and checkpoints: lists that change meanwhile, and flags that exclude."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.recipes.driving import drive
from virtproto.errors import InvalidArgError, NoDomainSnapshotError
from virtproto.model.recipes.snapshots import (
    list_child_snapshot_names,
    list_child_snapshots,
    list_snapshot_names,
    list_snapshots,
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
