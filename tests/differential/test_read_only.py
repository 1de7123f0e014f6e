"""Read-only connections: the C binding and both colours refuse the same, and answer the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.differential.comparison import Ask, Comparison
from tests.differential.comparisons import ALL
from tests.differential.comparisons.read_only import (
    answered,
    arranged,
    documented_refusals,
    refused,
)
from tests.differential.count import not_compared
from tests.differential.parties import Answer, Party
from tests.differential.performing import Stage, perform
from tests.differential.stages import QEMU, TEST, open_stage

DENIED = 29  # VIR_ERR_OPERATION_DENIED

REFUSED = refused(ALL)
ANSWERED = answered(ALL)


def test_every_refusal_that_the_binding_knows_is_asked_for() -> None:
    assert {question.documented for question in REFUSED} == {*documented_refusals()} - {
        *not_compared()
    }


def _refusal(answer: Answer) -> tuple[int, int]:
    """Return code and domain, which are libvirt's; the words are the client's own."""
    assert "error" in answer, f"it was answered: {answer}"
    return answer["error"]["code"], answer["error"]["domain"]


@pytest.mark.lab
@pytest.mark.parametrize("question", REFUSED, ids=lambda q: f"{q.documented} of {q.args!r:.40}")
def test_the_same_is_refused(stage_of: Callable[[str], Stage], question: Ask) -> None:
    stage = stage_of(QEMU)
    assert stage.read_only is not None
    before, afterwards = arranged(question)
    try:
        for step in before:
            assert "value" in stage.binding.see(step)
        parties: tuple[Party, ...] = (stage.read_only.binding, *stage.read_only.ours)
        theirs, *ours = (_refusal(party.answer(question)) for party in parties)
    finally:
        for step in afterwards:
            stage.binding.see(step)
    assert theirs[0] == DENIED
    assert ours == [theirs, theirs]


@pytest.fixture(scope="module")
def untouched() -> Iterator[Stage]:
    """A stage on which nothing was ever changed, for reading only."""
    with open_stage(TEST) as stage:
        assert stage.read_only is not None
        yield stage.read_only


@pytest.mark.lab
@pytest.mark.parametrize("comparison", ANSWERED, ids=lambda comparison: comparison.name)
def test_the_same_is_answered(untouched: Stage, comparison: Comparison) -> None:
    assert perform(comparison, untouched) == []
