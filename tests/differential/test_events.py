"""Everything that is watched: the C binding, virtproto sync and aio hear the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.differential.comparison import Watching
from tests.differential.comparisons import WATCHINGS
from tests.differential.performing import Stage, watch
from tests.differential.stages import STAGES

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("stage", "watching"),
    [
        pytest.param(stage, watching, id=f"{stage}: {watching.name}")
        for stage in STAGES
        for watching in WATCHINGS
        if stage in watching.stages
    ],
)
def test_parties_hear_the_same(
    stage_of: Callable[[str], Stage], stage: str, watching: Watching
) -> None:
    assert watch(watching, stage_of(stage)) == []
