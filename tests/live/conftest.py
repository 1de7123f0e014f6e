"""Fixtures of the live suites."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import COLOURS, TOGETHER, Open, OpenTogether
from tests.lab.migration import MigrationPair
from tests.live.moving import MOVE, NAME, Roads
from virtproto.constants import DomainJobType, DomainState


@pytest.fixture(params=list(COLOURS))
def open_in_colour(request: pytest.FixtureRequest) -> Open:
    """What opens a connection in each colour in turn."""
    return COLOURS[request.param]


@pytest.fixture(scope="session")
def moving(migration_pair: MigrationPair) -> Iterator[Roads]:
    """A guest that runs on the source, for all suites that move it."""
    with migration_pair.guest(NAME):
        yield Roads(migration_pair)


@pytest.fixture
def roads(moving: Roads) -> Iterator[Roads]:
    """The guest that moves, at the source again after each test."""
    yield moving
    with (
        virtproto.open(moving.pair.source_uri) as source,
        virtproto.open(moving.pair.target_uri) as target,
    ):
        for domain in target.list_all_domains():
            domain.migrate(source, {"migrate_uri": moving.fresh(), "destination_name": NAME}, MOVE)
        found = source.get_domain_by_name(NAME)
        assert found.get_state().state == DomainState.RUNNING
        assert found.get_job_info().type == DomainJobType.NONE


@pytest.fixture(params=list(TOGETHER))
def open_together(request: pytest.FixtureRequest) -> OpenTogether:
    return TOGETHER[request.param]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is room for much and nothing waits for a disk."""
    folder = Path(tempfile.mkdtemp(prefix="vp-", dir="/dev/shm"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told after each piece, so that something can happen between two of them."""
    monkeypatch.setattr("virtproto.model.transfers._PROGRESS_EVERY_S", 0.0)
