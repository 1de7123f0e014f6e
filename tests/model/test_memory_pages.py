"""Numbers of pages by size: what goes out, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.memory_pages import to_page_counts


def test_sizes_keep_their_order() -> None:
    assert list(to_page_counts("pages", {2048: 1, 4: 2**64 - 1}, 2).items()) == [
        (2048, 1),
        (4, 2**64 - 1),
    ]


@pytest.mark.parametrize(
    ("pages", "kind", "complaint"),
    [
        ([(2048, 1)], ArgumentTypeError, r"^pages: expected a mapping of numbers by page size"),
        (None, ArgumentTypeError, r"^pages: expected a mapping .* not NoneType"),
        ({"2048": 1}, ArgumentTypeError, r"^pages: page size: expected a whole number, not str"),
        ({2**32: 1}, UsageError, r"^pages: page size: 4294967296 is not within"),
        ({2048: -1}, UsageError, r"^pages\[2048\]: -1 is not within 0 to"),
        ({2048: None}, ArgumentTypeError, r"^pages\[2048\]: a whole number is required, not None"),
        ({1: 1, 2: 1, 3: 1}, UsageError, r"^pages: more than the 2 allowed"),
    ],
)
def test_what_are_no_numbers_of_pages(pages: Any, kind: type[Exception], complaint: str) -> None:
    with pytest.raises(kind, match=complaint):
        to_page_counts("pages", pages, 2)
