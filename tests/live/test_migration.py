"""A running guest moves between two real daemons: every way, and what is set meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

import virtproto
from tests.colours.driving import (
    TOGETHER,
    OpenTogether,
)
from tests.lab.c_binding import (
    CBinding,
)
from tests.live.moving import (
    MOVE,
    NAME,
    PEER_TO_PEER,
    POSTCOPY,
    SLOW,
    TUNNELLED,
    Roads,
    arrived,
    when_transferring,
)
from virtproto.constants import (
    DomainState,
)
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes import (
    migration,
)
from virtproto.model.recipes.migration_steps import (
    Call,
)
from virtproto.model.typedvalues import to_params
from virtproto.wire import remote

pytestmark = pytest.mark.lab

# Every way there and back: there in one colour, back in the other.

Way = Callable[[Any, Any, str, str], Any]
WAYS: dict[str, Way] = {
    "migrate with params": lambda domain, to, uri, road: domain.migrate(
        to, {"migrate_uri": road, "bandwidth": 1000}, MOVE
    ),
    "migrate": lambda domain, to, uri, road: domain.migrate(to, None, MOVE, None, road),
    "migrate2": lambda domain, to, uri, road: domain.migrate2(to, None, MOVE, None, road, 1000),
    "migrate peer to peer": lambda domain, to, uri, road: domain.migrate(to, None, TUNNELLED),
    "migrate2 peer to peer": lambda domain, to, uri, road: domain.migrate2(
        to, None, PEER_TO_PEER, None, road
    ),
    "to a URI with params": lambda domain, to, uri, road: domain.migrate_to_uri(
        uri, {"migrate_uri": road}, PEER_TO_PEER
    ),
    "to a URI, tunnelled": lambda domain, to, uri, road: domain.migrate_to_uri(
        uri, None, TUNNELLED
    ),
    "to two URIs": lambda domain, to, uri, road: domain.migrate_to_uri2(
        uri, road, None, PEER_TO_PEER
    ),
}


@pytest.mark.parametrize(
    ("way", "first", "last"),
    [*((way, "sync", "aio") for way in WAYS), ("migrate with params", "aio", "sync")],
)
def test_there_and_back(roads: Roads, way: str, first: str, last: str) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with TOGETHER[first](source_uri, target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        moved = WAYS[way](domain, target, target_uri, roads.fresh())
        if moved is not None:
            assert moved.get_uuid() == domain.get_uuid()
            assert moved.connection == target
            assert moved.get_state().state == DomainState.RUNNING
    arrived(roads, at_target=True)
    with TOGETHER[last](source_uri, target_uri) as (source, target):
        domain = target.get_domain_by_name(NAME)
        moved = WAYS[way](domain, source, source_uri, roads.fresh())
        if moved is not None:
            assert moved == source.get_domain_by_name(NAME)
    arrived(roads, at_target=False)


def test_a_name_and_a_definition_of_its_own(roads: Roads, open_together: OpenTogether) -> None:
    with open_together(roads.pair.source_uri, roads.pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        xml = domain.get_xml_description(8).replace(
            "</uuid>", "</uuid><description>it has moved</description>"
        )
        terms: dict[str, Any] = {
            "migrate_uri": roads.fresh(),
            "destination_name": "moved",
            "destination_xml": xml,
            "bandwidth": 900,
        }
        moved = domain.migrate(target, terms, MOVE)
        assert moved.get_name() == "moved"
        assert "it has moved" in moved.get_xml_description()
    arrived(roads, at_target=True, name="moved")


# Protocols that today's daemons are not asked for: the recipe is told that they lack newer ones.


def told_otherwise(recipe: Any, lacking: tuple[int, ...], asked: list[str]) -> Any:
    """Answer a recipe's questions for some features with no; let all other steps be taken."""
    step = next(recipe)
    while True:
        try:
            if isinstance(step, Call) and step.procedure is not None:
                asked.append(step.procedure.name)
            args = getattr(step, "args", None)
            answer: Any
            if isinstance(args, remote.ConnectSupportsFeatureArgs) and args.feature in lacking:
                answer = remote.ConnectSupportsFeatureRet(supported=0)
            else:
                answer = yield step
        except BaseException as error:
            turn, given = recipe.throw, cast("Any", error)
        else:
            turn, given = recipe.send, answer
        try:
            step = turn(given)
        except StopIteration as done:
            return done.value


OLD = [
    ((13,), MOVE, "DOMAIN_MIGRATE_BEGIN3"),
    ((13,), PEER_TO_PEER, "DOMAIN_MIGRATE_PERFORM3"),
    ((13,), TUNNELLED, "DOMAIN_MIGRATE_PERFORM3"),
    ((13, 6), TUNNELLED, "DOMAIN_MIGRATE_PERFORM"),
]


@pytest.mark.parametrize(("lacking", "flags", "procedure"), OLD)
def test_older_protocols(
    roads: Roads,
    open_together: OpenTogether,
    lacking: tuple[int, ...],
    flags: int,
    procedure: str,
) -> None:
    asked: list[str] = []
    with open_together(roads.pair.source_uri, roads.pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        wire = getattr(domain, "_target", domain)._wire
        if flags == MOVE:
            recipe: Any = migration.migrate(
                wire,
                params=to_params("params", {"migrate_uri": roads.fresh()}, KNOWN["MIGRATION"], 64),
                flags=flags,
                dname=None,
                uri=None,
                bandwidth=0,
            )
        else:
            road = roads.fresh() if flags == PEER_TO_PEER else None
            recipe = migration.migrate_to_uri2(
                wire,
                dconnuri=roads.pair.target_uri,
                miguri=road,
                dxml=None,
                flags=flags,
                dname=None,
                bandwidth=0,
            )
        domain._run_between(told_otherwise(recipe, lacking, asked), target)
    assert procedure in asked
    assert not any(name.endswith("_PARAMS") for name in asked)
    arrived(roads, at_target=True)


def test_protocol_1_is_not_for_qemu(roads: Roads) -> None:
    with TOGETHER["sync"](roads.pair.source_uri, roads.pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        recipe = migration.migrate(
            domain._wire, params=None, flags=MOVE, dname=None, uri=roads.fresh(), bandwidth=0
        )
        with pytest.raises(virtproto.NoSupportError):
            domain._run_between(told_otherwise(recipe, (6, 3), []), target)
    arrived(roads, at_target=False)


# While it moves.


def test_switching_to_post_copy(roads: Roads, open_together: OpenTogether) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with open_together(source_uri, target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        thread = when_transferring(source_uri, virtproto.Domain.migrate_start_post_copy)
        # It would last for minutes otherwise.
        terms: dict[str, Any] = {
            "migrate_uri": roads.fresh(),
            "bandwidth": SLOW,
            "bandwidth.postcopy": 0,
        }
        moved = domain.migrate(target, terms, POSTCOPY)
        thread.join()
        assert moved.get_state().state == DomainState.RUNNING
    arrived(roads, at_target=True)


def test_there_is_nothing_to_switch(roads: Roads, open_together: OpenTogether) -> None:
    with open_together(roads.pair.source_uri, roads.pair.target_uri) as (source, _):
        domain = source.get_domain_by_name(NAME)
        with pytest.raises(virtproto.OperationInvalidError):
            domain.migrate_start_post_copy()


def test_a_faster_speed_ends_a_slow_migration(roads: Roads, open_together: OpenTogether) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with open_together(source_uri, target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        thread = when_transferring(source_uri, lambda domain: domain.migrate_set_max_speed(1000))
        domain.migrate(target, {"migrate_uri": roads.fresh(), "bandwidth": SLOW}, MOVE)
        thread.join()
    arrived(roads, at_target=True)


def test_settings(roads: Roads, open_together: OpenTogether) -> None:
    uri = roads.pair.source_uri
    with open_together(uri, roads.pair.target_uri) as (source, _), CBinding(uri) as binding:
        domain = source.get_domain_by_name(NAME)
        for setter, getter, values in (
            ("set_max_speed", "get_max_speed", (7, 1000)),
            ("set_max_downtime", "get_max_downtime", (250, 300)),
            ("set_compression_cache", "get_compression_cache", (1 << 25, 1 << 26)),
        ):
            for value in values:
                getattr(domain, f"migrate_{setter}")(value)
                assert getattr(domain, f"migrate_{getter}")() == value
                camel = "".join(word.capitalize() for word in getter.split("_"))
                assert binding.ask_domain(NAME, f"migrate{camel}") == value
