"""Fixtures of the tests of recipes."""

from __future__ import annotations

import pytest

from tests.model.recipes.phases import PARAMS, PLAIN, Names


@pytest.fixture(params=[PLAIN, PARAMS], ids=["terms", "params"])
def names(request: pytest.FixtureRequest) -> Names:
    """The names of the calls of migration protocol 3, in each of its dialects."""
    found: Names = request.param
    return found
