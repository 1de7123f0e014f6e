"""Migrations that are refused: by the codes of the C binding, and before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import virtproto
from tests.colours.driving import (
    TOGETHER,
    OpenTogether,
)
from tests.lab.c_binding import (
    BindingConnection,
    CBinding,
    CBindingError,
)
from tests.live.moving import (
    MOVE,
    NAME,
    Roads,
    arrived,
)
from virtproto.constants import (
    DomainMigrateFlags,
)

pytestmark = pytest.mark.lab

NAMED = DomainMigrateFlags
REFUSALS: list[tuple[str, int]] = [
    ("no tunnel", NAMED.TUNNELLED),
    ("parallel tunnel", NAMED.TUNNELLED | NAMED.PARALLEL),
    ("parallel tunnel, peer to peer", NAMED.PEER2PEER | NAMED.TUNNELLED | NAMED.PARALLEL),
    ("both disks", NAMED.NON_SHARED_DISK | NAMED.NON_SHARED_INC),
    ("synchronous", NAMED.NON_SHARED_SYNCHRONOUS_WRITES),
    ("peer to peer with itself", NAMED.PEER2PEER),
    ("unsafe", NAMED.LIVE),
    ("unknown", 1 << 30 | NAMED.LIVE | NAMED.UNSAFE),
    ("offline and live", NAMED.OFFLINE | NAMED.LIVE),
    ("parallel without params", NAMED.PARALLEL | NAMED.COMPRESSED | NAMED.ZEROCOPY | NAMED.UNSAFE),
]

ASKED: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Any, ...]]]] = {
    "migrate": (
        lambda domain, to, flags, road: domain.migrate(to, None, flags, None, road),
        lambda to, flags, road: ("migrate", to, flags, None, road, 0),
    ),
    "migrate2": (
        lambda domain, to, flags, road: domain.migrate2(to, None, flags, None, "tcp://x"),
        lambda to, flags, road: ("migrate2", to, None, flags, None, "tcp://x", 0),
    ),
    "migrate3": (
        lambda domain, to, flags, road: domain.migrate(to, {"migrate_uri": road}, flags),
        lambda to, flags, road: ("migrate3", to, {"migrate_uri": road}, flags),
    ),
    "to_uri": (
        lambda domain, to, flags, road: domain.migrate_to_uri(road, None, flags),
        lambda to, flags, road: ("migrateToURI", road, flags, None, 0),
    ),
    "to_uri2": (
        lambda domain, to, flags, road: domain.migrate_to_uri2(road, None, None, flags),
        lambda to, flags, road: ("migrateToURI2", road, None, None, flags, None, 0),
    ),
    "to_uri3": (
        lambda domain, to, flags, road: domain.migrate_to_uri(road, {"no_such": 1}, flags),
        lambda to, flags, road: ("migrateToURI3", road, {"no_such": 1}, flags),
    ),
}


@pytest.mark.parametrize("way", list(ASKED))
def test_refusals_are_those_of_the_c_binding(
    roads: Roads, open_together: OpenTogether, way: str
) -> None:
    pair = roads.pair
    ours, theirs = ASKED[way]
    road = "qemu:///system"
    with (
        open_together(pair.source_uri, pair.source_uri) as (source, other),
        CBinding(pair.source_uri) as binding,
    ):
        domain = source.get_domain_by_name(NAME)
        for what, flags in REFUSALS:
            method, *arguments = theirs(BindingConnection(pair.source_uri), int(flags), road)
            with pytest.raises(CBindingError) as expected:
                binding.ask_domain(NAME, method, *arguments)
            with pytest.raises(virtproto.LibvirtError) as caught:
                ours(domain, other, flags, road)
            fields = expected.value.fields
            assert (what, caught.value.code, caught.value.domain) == (
                what,
                fields["code"],
                fields["domain"],
            )
    arrived(roads, at_target=False)


def test_read_only_ends(roads: Roads) -> None:
    pair = roads.pair
    readonly = f"qemu+unix:///system?socket={pair.target.readonly_socket_path}"
    with (
        virtproto.open(pair.source_uri) as source,
        virtproto.open(readonly, readonly=True) as target,
    ):
        domain = source.get_domain_by_name(NAME)
        with pytest.raises(virtproto.OperationDeniedError):
            domain.migrate(target, {}, MOVE)
        with pytest.raises(virtproto.OperationDeniedError):
            domain.migrate2(target)
        with virtproto.open(pair.source_uri, readonly=True) as looking:
            shown = looking.get_domain_by_name(NAME)
            for refused in (
                lambda: shown.migrate(source, {}),
                lambda: shown.migrate_to_uri("qemu+tcp://there/system"),
                lambda: shown.migrate_get_max_speed(),
                lambda: shown.migrate_set_max_downtime(1),
            ):
                with pytest.raises(virtproto.OperationDeniedError):
                    refused()
            assert shown.migrate_get_max_downtime() > 0


@pytest.mark.parametrize("wrong", ["nowhere", None, 5])
def test_what_is_no_destination(roads: Roads, open_together: OpenTogether, wrong: Any) -> None:
    with open_together(roads.pair.source_uri, roads.pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        with pytest.raises(virtproto.ArgumentTypeError, match="dest_conn: "):
            domain.migrate(wrong)
        target.close()
        with pytest.raises(virtproto.UsageError, match="dest_conn: "):
            domain.migrate(target)
        assert domain.is_active()


def test_a_destination_of_the_other_colour(roads: Roads) -> None:
    uris = roads.pair.source_uri, roads.pair.target_uri
    with TOGETHER["sync"](*uris) as (source, _), TOGETHER["aio"](*uris) as (_, target):
        domain = source.get_domain_by_name(NAME)
        with pytest.raises(virtproto.ArgumentTypeError, match="dest_conn: "):
            domain.migrate(target)
