"""Fixtures of the live suites."""

from __future__ import annotations

import pytest

from tests.colours.driving import COLOURS, Open


@pytest.fixture(params=list(COLOURS))
def open_in_colour(request: pytest.FixtureRequest) -> Open:
    """What opens a connection in each colour in turn."""
    return COLOURS[request.param]
