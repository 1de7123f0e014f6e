"""Text for terminals: columns, and what must not get there as it is."""

from __future__ import annotations

import pytest

from virtproto.model.screen_text import columns, cut, visible


@pytest.mark.parametrize(
    "bad",
    [
        "\x1b[2J",
        "\x07",
        "\x9b31m",
        "\u202e",
        "\u2066",
        "\u200b",
        "\udcff",
        "\r",
        "\ufeff",
        "\u2028",
    ],
)
def test_what_acts_on_a_terminal_becomes_an_escape(bad: str) -> None:
    shown = visible(f"a{bad}z")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("z")


def test_columns_are_those_of_a_terminal() -> None:
    assert [columns(text) for text in ("web", "grün", "仮想", "e\u0301", "❤\ufe0f", "")] == [
        *(3, 4, 4, 1, 1, 0)
    ]


@pytest.mark.parametrize("text", ["", "plain text", "grün und mehr", "仮想マシン", "ae\u0301仮bc"])
def test_what_is_cut_fits_and_says_so(text: str) -> None:
    for width in range(12):
        found = cut(text, width)
        assert columns(found) <= max(width, 0)
        if columns(text) <= width:
            assert found == text
        elif width:
            assert found.endswith("…")
            assert text.startswith(found[:-1])
