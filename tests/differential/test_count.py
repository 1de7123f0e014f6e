"""Every public method is compared with the C binding, or it is told why not; never both."""

from __future__ import annotations

import pytest

from tests.differential.comparisons import ALL
from tests.differential.count import PAGE, compared, not_compared, page, public_methods

METHODS = [f"{cls}.{name}" for cls, names in public_methods().items() for name in names]


@pytest.mark.parametrize("method", METHODS)
def test_method_is_compared_or_told_why_not(method: str) -> None:
    assert (method in compared()) != (method in not_compared())


def test_nothing_else_is_claimed_or_listed() -> None:
    assert {*compared(), *not_compared()} <= set(METHODS)
    assert all(reason.strip() for reason in not_compared().values())


def test_names_of_comparisons_are_their_own() -> None:
    names = [(comparison.name, stage) for comparison in ALL for stage in comparison.stages]
    assert len(set(names)) == len(names)


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.differential"
