"""The other releases really answer: most of what they are asked is not refused by all alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.differential.comparison import Ask
from tests.differential.comparisons import ALL
from tests.differential.performing import Stage, go_through
from tests.differential.stages import FEWEST_ANSWERS, OTHER_RELEASES, TEST

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("release", OTHER_RELEASES)
def test_a_release_answers(stage_of: Callable[[str], Stage], release: str) -> None:
    stage = stage_of(f"{TEST} {release}")
    answered = [
        step.documented
        for comparison in ALL
        if stage.name in comparison.stages
        for step, answer in go_through(comparison, stage, stage.binding)
        if isinstance(step, Ask) and "value" in answer
    ]
    assert len(answered) >= FEWEST_ANSWERS[release], sorted(set(answered))
