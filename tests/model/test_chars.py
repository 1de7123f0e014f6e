"""Text from arrays of characters."""

from __future__ import annotations

import pytest

from virtproto.model.chars import chars_to_text


@pytest.mark.parametrize(
    ("chars", "text"),
    [
        (b"x86_64" + bytes(26), "x86_64"),
        (b"full", "full"),
        (b"one\0two\0", "one"),
        (bytes(32), ""),
        (b"", ""),
        ("größe".encode(), "größe"),
        (b"\xff\0", "\udcff"),
    ],
)
def test_a_text_ends_at_the_first_nul_if_there_is_one(chars: bytes, text: str) -> None:
    assert chars_to_text(chars) == text
