"""Snapshots: taken, listed, gone back to and deleted."""

from __future__ import annotations

import re

from tests.differential.comparison import ADDRESSES, Address, Comparison, Do, ObjectArgument, See
from tests.differential.writing import act, ask, reading, scenario

__all__ = ["COMPARISONS"]

_DOMAIN = "snapshot_domain"
_XML = "<domainsnapshot><name>{}</name></domainsnapshot>"


def _snapshot(name: str) -> Address:
    above = ADDRESSES[_DOMAIN]
    return Address(
        (*above.binding, ("snapshotLookupByName", name)),
        (*above.ours, ("get_snapshot_by_name", name)),
    )


def _without_time(xml: str) -> str:
    return re.sub(r"<creationTime>\d+", "<creationTime>", xml)


_ONE, _TWO = _snapshot("one"), _snapshot("two")

_READING = (
    reading("test qemu", "Domain.num_of_snapshots", "snapshotNum", 0, on=_DOMAIN),
    reading("test qemu", "Domain.list_snapshot_names", "snapshotListNames", 0, on=_DOMAIN),
    reading(
        "test qemu", "Domain.list_snapshots", "listAllSnapshots", on=_DOMAIN, binding_args=(0,)
    ),
    reading("test qemu", "Domain.list_all_snapshots", "listAllSnapshots", 0, on=_DOMAIN),
    reading("!test !qemu", "Domain.list_all_snapshots", "listAllSnapshots", 1 << 30, on=_DOMAIN),
    reading(
        "test qemu", "Domain.get_snapshot_by_name", "snapshotLookupByName", "first", 0, on=_DOMAIN
    ),
    reading(
        "!test !qemu", "Domain.get_snapshot_by_name", "snapshotLookupByName", "none", 0, on=_DOMAIN
    ),
    reading("test qemu", "Domain.has_current_snapshot", "hasCurrentSnapshot", 0, on=_DOMAIN),
    reading("test qemu", "Domain.current_snapshot", "snapshotCurrent", 0, on=_DOMAIN),
    reading("!test !qemu", "Domain.current_snapshot", "snapshotCurrent", 0, on="unsnapped"),
    reading("test qemu", "DomainSnapshot.get_name", "getName"),
    reading("test qemu", "DomainSnapshot.get_xml_description", "getXMLDesc", 0),
    reading("!test !qemu", "DomainSnapshot.get_parent", "getParent", 0),
    reading("test qemu", "DomainSnapshot.is_current", "isCurrent", 0),
    reading("test qemu", "DomainSnapshot.has_metadata", "hasMetadata", 0),
)

_CHANGING = (
    scenario(
        "snapshots, one upon the other",
        "test qemu",
        Do(_DOMAIN, "revertToSnapshot", (ObjectArgument("snapshot"),)),
        Do(_DOMAIN, "snapshotCreateXML", (_XML.format("one"),)),
        ask("Domain.create_snapshot", "snapshotCreateXML", _XML.format("two"), 0, on=_DOMAIN),
        ask(
            "Domain.create_snapshot", "snapshotCreateXML", "<none/>", on=_DOMAIN, outcome="refusal"
        ),
        See(_TWO, "getXMLDesc", (0,), _without_time),
        ask("DomainSnapshot.get_parent", "getParent", 0, on=_TWO),
        ask("DomainSnapshot.num_of_child_snapshots", "numChildren", 0, on=_ONE),
        ask("DomainSnapshot.list_child_snapshot_names", "listChildrenNames", 0, on=_ONE),
        ask("DomainSnapshot.list_child_snapshots", "listAllChildren", on=_ONE),
        ask("DomainSnapshot.list_all_children", "listAllChildren", 0, on=_ONE),
        ask("DomainSnapshot.is_current", "isCurrent", 0, on=_ONE),
        act(
            "DomainSnapshot.revert_to",
            "revertToSnapshot",
            on=_ONE,
            binding_on=_DOMAIN,
            binding_args=(ObjectArgument(_ONE),),
        ),
        ask("DomainSnapshot.is_current", "isCurrent", 0, on=_ONE),
        act("DomainSnapshot.delete", "delete", 0, on=_TWO),
        ask("Domain.list_snapshot_names", "snapshotListNames", 0, on=_DOMAIN),
        act("DomainSnapshot.delete", "delete", on=_ONE),
        See(_DOMAIN, "snapshotListNames"),
        afterwards=[
            Do(_TWO, "delete"),
            Do(_ONE, "delete"),
            Do(_DOMAIN, "revertToSnapshot", (ObjectArgument("snapshot"),)),
        ],
    ),
)

COMPARISONS: tuple[Comparison, ...] = (*_READING, *_CHANGING)
