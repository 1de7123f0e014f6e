"""What handles on snapshots and checkpoints know of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto import aio, sync
from virtproto.model.domain_part_handle import DomainCheckpointHandle, DomainSnapshotHandle
from virtproto.model.object_handle import handle
from virtproto.wire.remote.types import (
    NonnullDomain,
    NonnullDomainCheckpoint,
    NonnullDomainSnapshot,
)

CONNECTION = object()
WEB = NonnullDomain(name="web", uuid=bytes(16), id=7)
MAIL = NonnullDomain(name="mail", uuid=bytes(range(16)), id=8)
KINDS: list[tuple[Any, Any]] = [
    (DomainSnapshotHandle, NonnullDomainSnapshot),
    (DomainCheckpointHandle, NonnullDomainCheckpoint),
]


@pytest.mark.parametrize(("kind", "wire"), KINDS)
def test_what_it_is_called(kind: Any, wire: Any) -> None:
    one = handle(kind, CONNECTION, wire(name="first", dom=WEB))
    assert one.get_name() == "first"
    assert repr(one) == f"<{kind.__name__} 'first' of 'web'>"


@pytest.mark.parametrize(("kind", "wire"), KINDS)
def test_it_is_the_same_by_name_and_domain(kind: Any, wire: Any) -> None:
    one = handle(kind, CONNECTION, wire(name="first", dom=WEB))
    stopped = NonnullDomain(name="renamed", uuid=bytes(16), id=-1)
    again = handle(kind, CONNECTION, wire(name="first", dom=stopped))
    assert one == again
    assert hash(one) == hash(again)
    assert one != handle(kind, CONNECTION, wire(name="second", dom=WEB))
    assert one != handle(kind, CONNECTION, wire(name="first", dom=MAIL))
    assert one != handle(kind, object(), wire(name="first", dom=WEB))


@pytest.mark.parametrize("colour", [sync, aio], ids=["sync", "aio"])
@pytest.mark.parametrize("kind", ["DomainSnapshot", "DomainCheckpoint"])
def test_each_handle_on_its_domain_remembers_for_itself(colour: Any, kind: str) -> None:
    wire = {"DomainSnapshot": NonnullDomainSnapshot, "DomainCheckpoint": NonnullDomainCheckpoint}
    web = NonnullDomain(name="web", uuid=bytes(16), id=7)
    part = handle(getattr(colour, kind), CONNECTION, wire[kind](name="first", dom=web))
    before = part._reference()
    one, other = part.get_domain(), part.get_domain()
    one._set_name("renamed")
    one._set_id(-1)
    assert (one.get_name(), one.get_id()) == ("renamed", -1)
    for unaware in (other, part.get_domain()):
        assert (unaware.get_name(), unaware.get_id()) == ("web", 7)
        assert unaware._reference() == WEB.pack()
    assert (part._reference(), part._wire.pack()) == (before, before)


def test_a_snapshot_is_no_checkpoint() -> None:
    snapshot = handle(
        DomainSnapshotHandle, CONNECTION, NonnullDomainSnapshot(name="first", dom=WEB)
    )
    checkpoint = handle(
        DomainCheckpointHandle, CONNECTION, NonnullDomainCheckpoint(name="first", dom=WEB)
    )
    assert snapshot != checkpoint
