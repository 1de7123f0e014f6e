"""The stages of the differential suite, each made ready when a test first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.differential.performing import Stage
from tests.differential.stages import open_stage


@pytest.fixture(scope="package")
def stage_of() -> Iterator[Callable[[str], Stage]]:
    """What returns the stage of a name; it lasts as long as these tests."""
    stages: dict[str, Stage] = {}
    with ExitStack() as held:

        def stage(name: str) -> Stage:
            if name not in stages:
                stages[name] = held.enter_context(open_stage(name))
            return stages[name]

        yield stage
