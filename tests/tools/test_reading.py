"""Tests of reading files: every failure names the file, and the line where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdrgen.errors import ContractError
from xdrgen.reading import read_text, read_toml


def test_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.x").write_text("\ufeffconst A = 1;")
    assert read_text(tmp_path / "a.x", "utf-8-sig") == "const A = 1;"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.toml", ": expected a file, found nothing"),
        ("folder.toml", ": expected a file, found a folder"),
        ("latin.toml", ":2: expected text in UTF-8, found byte 0xe4"),
        ("twice.toml", ":3: Cannot overwrite a value"),
        ("open.toml", ": Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes(b'a = 1\nb = "\xe4"\n')
    (tmp_path / "twice.toml").write_text("a = 1\n\na = 2\n")
    (tmp_path / "open.toml").write_text("[p")
    with pytest.raises(ContractError) as caught:
        read_toml(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}{message}"
    assert caught.value.__suppress_context__


def test_lines_of_tables_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        'top = 1\nlist = [\n    "b",\n]\n\n[ one ]\n"a" = 1\nb=2\n[two] # last\na = 3\n'
    )
    file = read_toml(path)
    assert file.data == {"top": 1, "list": ["b"], "one": {"a": 1, "b": 2}, "two": {"a": 3}}
    for (table, key), line in {
        ("", "top"): 1,
        ("", "list"): 2,
        ("one", ""): 6,
        ("one", "a"): 7,
        ("one", "b"): 8,
        ("two", ""): 9,
        ("two", "a"): 10,
        ("two", "unknown"): 9,
    }.items():
        assert str(file.error("why", table, key)) == f"{path}:{line}: why"
    assert str(file.error("why", "three", "a")) == f"{path}: why"
