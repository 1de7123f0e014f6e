"""Snapshots by the older way of listing: the names, and then one call for each.

Responsible for lists that change while they are read.
"""

from __future__ import annotations

from virtproto.errors import NoDomainSnapshotError
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullDomain, NonnullDomainSnapshot

__all__ = [
    "list_child_snapshot_names",
    "list_child_snapshots",
    "list_snapshot_names",
    "list_snapshots",
]


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
