"""Tests of the tokens: what they are, where they stand, what is left out."""

from __future__ import annotations

import pytest

from xdrgen.errors import XdrSyntaxError
from xdrgen.lexer import END, NAME, NUMBER, PUNCTUATION, tokenize


def words(text: str) -> list[str]:
    return [token.text for token in tokenize(text, "f.x")]


def test_kinds_and_lines() -> None:
    tokens = tokenize("const A =\n  5;\n", "f.x")
    assert [(t.kind, t.text, t.position.line) for t in tokens] == [
        (NAME, "const", 1),
        (NAME, "A", 1),
        (PUNCTUATION, "=", 1),
        (NUMBER, "5", 2),
        (PUNCTUATION, ";", 2),
        (END, "", 3),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("12", 12),
        ("-7", -7),
        ("0x1F", 31),
        ("0XfF", 255),
        ("-0x10", -16),
        ("017", 15),
        ("00", 0),
    ],
)
def test_numbers(text: str, value: int) -> None:
    assert tokenize(text, "f.x")[0].value == value


@pytest.mark.parametrize("text", ["09", "0x", "0xg", "12ab", "1_000", "-08"])
def test_malformed_numbers(text: str) -> None:
    with pytest.raises(XdrSyntaxError, match=rf"^f\.x:2: expected a number, found '{text}'$"):
        tokenize(f"\n{text}", "f.x")


def test_pass_through_lines_only_in_the_first_column() -> None:
    assert words("%const A = 1;\nb\n%\n%c") == ["b", ""]
    with pytest.raises(XdrSyntaxError, match=r"f\.x:1: .* found '%'"):
        tokenize(" %a", "f.x")


def test_preprocessor_lines_with_continuations() -> None:
    assert words("#define A(x) \\\n  int x; \\\n  more\na\n  # if 0\nb") == ["a", "b", ""]
    assert words("#define A \\\r\n  int x;\r\na\r\n") == ["a", ""]


def test_hash_inside_a_line_is_an_error() -> None:
    with pytest.raises(XdrSyntaxError, match=r"f\.x:1: expected a name.*found '#'"):
        tokenize("const # A", "f.x")


def test_comments_keep_line_numbers() -> None:
    tokens = tokenize("/* a\n b\n*/ x /**/ y /* * / */ z", "f.x")
    assert [(t.text, t.position.line) for t in tokens] == [("x", 3), ("y", 3), ("z", 3), ("", 3)]


def test_note_is_the_last_documentation_comment() -> None:
    first, second, _ = tokenize("/** one */\n/**\n * two\n */ /* three */ x y", "f.x")
    assert first.note is not None
    assert (first.note.text, first.note.line) == ("\n * two\n ", 2)
    assert second.note is None


def test_unterminated_comment_names_its_beginning() -> None:
    message = r"^f\.x:2: expected '\*/' to end this comment, found end of file$"
    with pytest.raises(XdrSyntaxError, match=message):
        tokenize("a\n/* b\nc", "f.x")


def test_windows_line_ends() -> None:
    tokens = tokenize("a\r\n%skip\r\nb", "f.x")
    assert [(t.text, t.position.line) for t in tokens] == [("a", 1), ("b", 3), ("", 3)]
