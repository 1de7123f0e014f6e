"""Every comparison on every stage of its own: the C binding, virtproto sync and aio agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.differential.comparison import Comparison
from tests.differential.comparisons import ALL
from tests.differential.performing import Stage, perform
from tests.differential.stages import STAGES

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("stage", "comparison"),
    [
        pytest.param(stage, comparison, id=f"{stage}: {comparison.name}")
        for stage in STAGES
        for comparison in ALL
        if stage in comparison.stages
    ],
)
def test_parties_agree(
    stage_of: Callable[[str], Stage], stage: str, comparison: Comparison
) -> None:
    assert perform(comparison, stage_of(stage)) == []
