"""Reads the files of a contract, with errors that name the file and, where it is known, the line.

Knows text and TOML. What a file should say is the business of those who ask for it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdrgen.errors import ContractError
from xdrgen.model import Position

__all__ = ["TomlFile", "read_text", "read_toml"]

_TABLE = re.compile(r'\s*\[\s*"?([\w-]+)"?\s*\]')
_KEY = re.compile(r'\s*"?([\w-]+)"?\s*=')
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True)
class TomlFile:
    """What a TOML file says, and the lines of its tables and keys: ("", key), (table, "")."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def error(self, message: str, table: str = "", key: str = "") -> ContractError:
        """Return an error at a key, else at its table, else (neither being there) in the file."""
        line = self.lines.get((table, key)) or self.lines.get((table, ""))
        if line is None:
            return ContractError(f"{self.path}: {message}")
        return ContractError(message, Position(str(self.path), line))


def read_text(path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return a file's text; raise ContractError if there is none. Other OSErrors pass."""
    try:
        return path.read_text(encoding=encoding, errors=errors)
    except FileNotFoundError:
        raise ContractError(f"{path}: expected a file, found nothing") from None
    except IsADirectoryError:
        raise ContractError(f"{path}: expected a file, found a folder") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        position = Position(str(path), line)
        found = f"byte 0x{error.object[error.start]:02x}"
        raise ContractError(f"expected text in UTF-8, found {found}", position) from None


def read_toml(path: Path) -> TomlFile:
    """Return what a TOML file says; raise ContractError if it is none."""
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        if place is None:
            raise ContractError(f"{path}: {error}") from None
        message = str(error)[: place.start()]
        raise ContractError(message, Position(str(path), int(place[1]))) from None
    return TomlFile(path, data, _lines(text))


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Return where tables and keys stand, in files laid out like ours: one line for each."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _TABLE.match(line):
            table = header[1]
            lines.setdefault((table, ""), number)
        elif key := _KEY.match(line):
            lines.setdefault((table, key[1]), number)
    return lines
