"""Migrations between two real daemons, stopped in the middle: the guest goes on at one end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

import virtproto
from tests.colours.driving import (
    TOGETHER,
    OpenTogether,
)
from tests.interrupting import interruption
from tests.live.moving import (
    MOVE,
    NAME,
    PEER_TO_PEER,
    POSTCOPY,
    SLOW,
    TRANSFER_S,
    TUNNELLED,
    Roads,
    arrived,
    when_transferring,
)
from virtproto import aio
from virtproto.constants import (
    DomainState,
)
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes import (
    migration,
    migration_rescue,
)
from virtproto.model.recipes.migration_steps import (
    Call,
)
from virtproto.model.typedvalues import to_params

pytestmark = pytest.mark.lab

Way = Callable[[Any, Any, str, str], Any]
LONG: dict[str, Way] = {
    "led from here": lambda domain, to, uri, road: domain.migrate(
        to, {"migrate_uri": road, "bandwidth": SLOW}, MOVE
    ),
    "led from here, with terms": lambda domain, to, uri, road: domain.migrate2(
        to, None, MOVE, None, road, SLOW
    ),
    "peer to peer": lambda domain, to, uri, road: domain.migrate_to_uri(
        uri, {"migrate_uri": road, "bandwidth": SLOW}, PEER_TO_PEER
    ),
    "tunnelled": lambda domain, to, uri, road: domain.migrate_to_uri(
        uri, None, TUNNELLED, None, SLOW
    ),
}


@pytest.mark.parametrize("way", list(LONG))
def test_aborted_from_elsewhere(roads: Roads, open_together: OpenTogether, way: str) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with open_together(source_uri, target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        thread = when_transferring(source_uri, virtproto.Domain.abort_job)
        with pytest.raises(virtproto.OperationAbortedError) as caught:
            LONG[way](domain, target, target_uri, roads.fresh())
        thread.join()
        assert caught.value.object == domain
        # Both connections go on.
        assert domain.get_state().state == DomainState.RUNNING
        assert target.list_all_domains() == []
    arrived(roads, at_target=False)


@pytest.mark.parametrize("way", list(LONG))
def test_interrupted(roads: Roads, way: str) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with TOGETHER["sync"](source_uri, target_uri) as (source, target), interruption() as one:
        domain = source.get_domain_by_name(NAME)
        thread = when_transferring(source_uri, lambda domain: one.send())
        with pytest.raises(KeyboardInterrupt) as caught:
            LONG[way](domain, target, target_uri, roads.fresh())
        thread.join()
        assert not hasattr(caught.value, "__notes__")
        assert domain.get_state().state == DomainState.RUNNING
        assert target.list_all_domains() == []
    arrived(roads, at_target=False)


@pytest.mark.parametrize("way", list(LONG))
def test_cancelled(roads: Roads, way: str) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri

    async def cancel() -> None:
        async with (
            await aio.open(source_uri) as source,
            await aio.open(target_uri) as target,
        ):
            domain = await source.get_domain_by_name(NAME)
            task = asyncio.ensure_future(LONG[way](domain, target, target_uri, roads.fresh()))
            while not (await domain.get_job_info()).mem_processed_bytes:
                assert not task.done()
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await domain.get_state()).state == DomainState.RUNNING
            assert await target.list_all_domains() == []

    asyncio.run(asyncio.wait_for(cancel(), TRANSFER_S), debug=True)
    arrived(roads, at_target=False)


def test_aborted_by_another_task_on_the_same_connection(roads: Roads) -> None:
    async def abort() -> None:
        async with (
            await aio.open(roads.pair.source_uri) as source,
            await aio.open(roads.pair.target_uri) as target,
        ):
            domain = await source.get_domain_by_name(NAME)
            terms: dict[str, Any] = {"migrate_uri": roads.fresh(), "bandwidth": SLOW}
            task = asyncio.ensure_future(domain.migrate(target, terms, MOVE))
            while not (await domain.get_job_info()).mem_processed_bytes:
                assert not task.done()
                await asyncio.sleep(0.01)
            await domain.abort_job()
            with pytest.raises(virtproto.OperationAbortedError):
                await task

    asyncio.run(asyncio.wait_for(abort(), TRANSFER_S), debug=True)
    arrived(roads, at_target=False)


def given_up_after(recipe: Any, procedure: str) -> Any:
    """Let a call be made, and interrupt the recipe in the place of its answer, once."""
    step = next(recipe)
    given_up = False
    while True:
        try:
            answer = yield step
            name = step.procedure.name if isinstance(step, Call) and step.procedure else ""
            if name == procedure and not given_up:
                given_up = True
                raise KeyboardInterrupt
        except BaseException as error:
            turn, given = recipe.throw, cast("Any", error)
        else:
            turn, given = recipe.send, answer
        try:
            step = turn(given)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize(
    ("procedure", "moves"),
    [
        ("DOMAIN_MIGRATE_BEGIN3_PARAMS", False),
        ("DOMAIN_GET_STATE", False),
        ("DOMAIN_MIGRATE_PREPARE3_PARAMS", False),
        ("DOMAIN_MIGRATE_PERFORM3_PARAMS", False),
        ("DOMAIN_MIGRATE_FINISH3_PARAMS", True),
        ("DOMAIN_MIGRATE_CONFIRM3_PARAMS", True),
    ],
)
def test_interrupted_where_the_call_had_been_answered(
    roads: Roads, monkeypatch: pytest.MonkeyPatch, procedure: str, moves: bool
) -> None:
    monkeypatch.setattr(migration_rescue, "_LOOKS", 5)
    with TOGETHER["sync"](roads.pair.source_uri, roads.pair.target_uri) as (source, target):
        domain = source.get_domain_by_name(NAME)
        recipe = migration.migrate(
            domain._wire,
            params=to_params("params", {"migrate_uri": roads.fresh()}, KNOWN["MIGRATION"], 64),
            flags=MOVE,
            dname=None,
            uri=None,
            bandwidth=0,
        )
        with pytest.raises(KeyboardInterrupt) as caught:
            domain._run_between(given_up_after(recipe, procedure), target)
        assert hasattr(caught.value, "__notes__") is moves
    arrived(roads, at_target=moves)


def when_there(uri: str, state: DomainState, then: Callable[[], None]) -> threading.Thread:
    """Do something once the destination has the domain in a state."""

    def wait() -> None:
        deadline = time.monotonic() + TRANSFER_S
        with virtproto.open(uri) as connection:
            # There are no events of a domain that is not started yet.
            while [found.get_state().state for found in connection.list_all_domains()] != [state]:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_interrupted_while_the_destination_gets_ready(roads: Roads) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with TOGETHER["sync"](source_uri, target_uri) as (source, target), interruption() as one:
        domain = source.get_domain_by_name(NAME)
        thread = when_there(target_uri, DomainState.PAUSED, one.send)
        with pytest.raises(KeyboardInterrupt):
            domain.migrate(target, {"migrate_uri": roads.fresh(), "bandwidth": SLOW}, MOVE)
        thread.join()
    arrived(roads, at_target=False)


def test_interrupted_while_the_guest_fetches_its_memory(roads: Roads) -> None:
    source_uri, target_uri = roads.pair.source_uri, roads.pair.target_uri
    with TOGETHER["sync"](source_uri, target_uri) as (source, target), interruption() as one:
        domain = source.get_domain_by_name(NAME)
        switch = when_transferring(source_uri, virtproto.Domain.migrate_start_post_copy)
        thread = when_there(target_uri, DomainState.RUNNING, one.send)
        terms: dict[str, Any] = {"migrate_uri": roads.fresh(), "bandwidth": SLOW}
        terms["bandwidth.postcopy"] = 40
        with pytest.raises(KeyboardInterrupt) as caught:
            domain.migrate(target, terms, POSTCOPY)
        switch.join()
        thread.join()
        assert caught.value.__notes__ == ["The destination has the domain all the same."]
    arrived(roads, at_target=True)
