"""Snapshots and checkpoints: listing them one by one, and flags that exclude each other.

Responsible for what libvirt's own client refuses before it calls, and for lists that change while
they are read.
"""

from __future__ import annotations

from virtproto.errors import NoDomainSnapshotError, UsageError
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import (
        NonnullDomain,
        NonnullDomainCheckpoint,
        NonnullDomainSnapshot,
    )

__all__ = [
    "create_checkpoint",
    "create_snapshot",
    "delete_checkpoint",
    "delete_snapshot",
    "list_child_snapshot_names",
    "list_child_snapshots",
    "list_snapshot_names",
    "list_snapshots",
    "revert_to_snapshot",
]

# Bits of virDomainSnapshotCreateFlags, ...RevertFlags, ...DeleteFlags, and their likes of
# checkpoints.
_SNAPSHOT_REDEFINE, _CURRENT, _NO_METADATA, _HALT = 1, 2, 4, 8
_RUNNING, _PAUSED = 1, 2
_CHILDREN, _CHILDREN_ONLY = 1, 4
_CHECKPOINT_REDEFINE, _QUIESCE, _VALIDATE = 1, 2, 4


def _exclude(flags: int, one: tuple[int, str], other: tuple[int, str]) -> None:
    if flags & one[0] and flags & other[0]:
        raise UsageError(f"flags: {one[1]} and {other[1]} exclude each other")


def _require(flags: int, one: tuple[int, str], needed: tuple[int, str]) -> None:
    if flags & one[0] and not flags & needed[0]:
        raise UsageError(f"flags: {one[1]} goes with {needed[1]} only")


def list_snapshot_names(domain: NonnullDomain, *, flags: int) -> Recipe[list[str]]:
    """Return the names of a domain's snapshots. Source: virDomainSnapshotListNames."""
    ret = yield (
        wire.DOMAIN_SNAPSHOT_LIST_NAMES,
        wire.DomainSnapshotListNamesArgs(
            dom=domain, maxnames=wire.DOMAIN_SNAPSHOT_LIST_MAX, flags=flags
        ),
    )
    names: list[str] = ret.names
    return names


def list_snapshots(domain: NonnullDomain, *, flags: int) -> Recipe[list[NonnullDomainSnapshot]]:
    """Return a domain's snapshots, each looked up by its name."""
    names = yield from list_snapshot_names(domain, flags=flags)
    return (yield from _looked_up(domain, names))


def list_child_snapshot_names(snapshot: NonnullDomainSnapshot, *, flags: int) -> Recipe[list[str]]:
    """Return the names of a snapshot's children. Source: virDomainSnapshotListChildrenNames."""
    ret = yield (
        wire.DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES,
        wire.DomainSnapshotListChildrenNamesArgs(
            snap=snapshot, maxnames=wire.DOMAIN_SNAPSHOT_LIST_MAX, flags=flags
        ),
    )
    names: list[str] = ret.names
    return names


def list_child_snapshots(
    snapshot: NonnullDomainSnapshot, *, flags: int
) -> Recipe[list[NonnullDomainSnapshot]]:
    """Return a snapshot's children, each looked up by its name."""
    names = yield from list_child_snapshot_names(snapshot, flags=flags)
    return (yield from _looked_up(snapshot.dom, names))


def _looked_up(domain: NonnullDomain, names: list[str]) -> Recipe[list[NonnullDomainSnapshot]]:
    snapshots = []
    for name in names:
        try:
            ret = yield (
                wire.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME,
                wire.DomainSnapshotLookupByNameArgs(dom=domain, name=name, flags=0),
            )
        except NoDomainSnapshotError:
            # It was deleted since its name was listed.
            continue
        snapshots.append(ret.snap)
    return snapshots


def create_snapshot(
    domain: NonnullDomain, *, xml: str, flags: int
) -> Recipe[NonnullDomainSnapshot]:
    """Take a snapshot, or tell the daemon of one. Source: virDomainSnapshotCreateXML."""
    redefine = (_SNAPSHOT_REDEFINE, "REDEFINE")
    _require(flags, (_CURRENT, "CURRENT"), redefine)
    _exclude(flags, redefine, (_NO_METADATA, "NO_METADATA"))
    _exclude(flags, redefine, (_HALT, "HALT"))
    ret = yield (
        wire.DOMAIN_SNAPSHOT_CREATE_XML,
        wire.DomainSnapshotCreateXmlArgs(dom=domain, xml_desc=xml, flags=flags),
    )
    made: NonnullDomainSnapshot = ret.snap
    return made


def revert_to_snapshot(snapshot: NonnullDomainSnapshot, *, flags: int) -> Recipe[None]:
    """Take the domain back to a snapshot. Source: virDomainRevertToSnapshot."""
    _exclude(flags, (_RUNNING, "RUNNING"), (_PAUSED, "PAUSED"))
    yield (
        wire.DOMAIN_REVERT_TO_SNAPSHOT,
        wire.DomainRevertToSnapshotArgs(snap=snapshot, flags=flags),
    )


def delete_snapshot(snapshot: NonnullDomainSnapshot, *, flags: int) -> Recipe[None]:
    """Delete a snapshot, its children, or both. Source: virDomainSnapshotDelete."""
    _exclude(flags, (_CHILDREN, "CHILDREN"), (_CHILDREN_ONLY, "CHILDREN_ONLY"))
    yield (
        wire.DOMAIN_SNAPSHOT_DELETE,
        wire.DomainSnapshotDeleteArgs(snap=snapshot, flags=flags),
    )


def create_checkpoint(
    domain: NonnullDomain, *, xml: str, flags: int
) -> Recipe[NonnullDomainCheckpoint]:
    """Make a checkpoint, or tell the daemon of one. Source: virDomainCheckpointCreateXML."""
    redefine = (_CHECKPOINT_REDEFINE, "REDEFINE")
    _exclude(flags, redefine, (_QUIESCE, "QUIESCE"))
    _require(flags, (_VALIDATE, "REDEFINE_VALIDATE"), redefine)
    ret = yield (
        wire.DOMAIN_CHECKPOINT_CREATE_XML,
        wire.DomainCheckpointCreateXmlArgs(dom=domain, xml_desc=xml, flags=flags),
    )
    made: NonnullDomainCheckpoint = ret.checkpoint
    return made


def delete_checkpoint(checkpoint: NonnullDomainCheckpoint, *, flags: int) -> Recipe[None]:
    """Delete a checkpoint, its children, or both. Source: virDomainCheckpointDelete."""
    _exclude(flags, (_CHILDREN, "CHILDREN"), (_CHILDREN_ONLY, "CHILDREN_ONLY"))
    yield (
        wire.DOMAIN_CHECKPOINT_DELETE,
        wire.DomainCheckpointDeleteArgs(checkpoint=checkpoint, flags=flags),
    )
