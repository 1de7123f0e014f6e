"""Connections over every road, in both colours, for the suite to use one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.colours.driving import COLOURS, Open
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import ROADS, Way


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("roads")) as made:
        yield made


@pytest.fixture(scope="session")
def ways() -> dict[str, Way]:
    """The roads that were made so far."""
    return {}


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest, scene: Scene, ways: dict[str, Way]) -> Way:
    """One road in turn, as the suite's parameters have it."""
    name: str = request.param
    if name not in ways:
        ways[name] = ROADS[name](scene)
    return ways[name]


@pytest.fixture(scope="module", params=list(COLOURS))
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def open_in_colour(colour: str) -> Open:
    return COLOURS[colour]


@pytest.fixture(scope="module")
def connection(way: Way, open_in_colour: Open) -> Iterator[Any]:
    """A connection to the test driver."""
    with way.opened(open_in_colour, "test:///default") as opened:
        yield opened


@pytest.fixture(scope="module")
def storage(way: Way, open_in_colour: Open) -> Iterator[Any]:
    """A connection to the driver that has volumes."""
    with way.opened(open_in_colour, way.storage) as opened:
        yield opened
