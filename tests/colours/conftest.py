"""Fixtures of the tests that are true of both colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.colours.driving import CHANNELS, COLOURS, FORGETTERS, Forget, Open, OpenChannel


@pytest.fixture(params=list(COLOURS))
def colour(request: pytest.FixtureRequest) -> str:
    """The name of each colour in turn."""
    name: str = request.param
    return name


@pytest.fixture
def open_in_colour(colour: str) -> Open:
    """What opens a connection in the test's colour."""
    return COLOURS[colour]


@pytest.fixture
def channel_in_colour(colour: str) -> OpenChannel:
    """What connects a channel in the test's colour."""
    return CHANNELS[colour]


@pytest.fixture
def forget_in_colour(colour: str) -> Forget:
    """What opens a connection in the test's colour and forgets it."""
    return FORGETTERS[colour]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A URI of the socket ``s`` in the test's own folder."""
    return f"test:///default?socket={tmp_path / 's'}"
