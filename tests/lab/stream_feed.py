"""Bytes and holes for a stream, handed out by handlers, and what came of one joined again.

Responsible for the bookkeeping that libvirt asks of whoever sends a sparse stream. The C binding's
process imports it too, so that it must not import anything of the project.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Feed", "joined"]


class Feed:
    """What is to be sent: bytes, and numbers for holes of that many bytes."""

    def __init__(self, parts: Iterable[bytes | int]) -> None:
        self._parts = [part for part in parts if part]

    def data(self, wanted: int) -> bytes:
        """Return up to ``wanted`` of the bytes that are next; b"" at a hole or the end."""
        part = self._parts[0] if self._parts else 0
        if isinstance(part, int):
            return b""
        del self._parts[0]
        if len(part) > wanted:
            self._parts.insert(0, part[wanted:])
        return part[:wanted]

    def section(self) -> tuple[bool, int]:
        """Return whether bytes are next, and how many bytes or holes; 0 at the end."""
        if not self._parts:
            return False, 0
        part = self._parts[0]
        return (False, part) if isinstance(part, int) else (True, len(part))

    def skip(self, length: int) -> int:
        """Pass ``length`` bytes of a hole; return 0, as libvirt asks for."""
        part = self._parts.pop(0)
        if not isinstance(part, int):
            raise ValueError("what is to be skipped is no hole")
        if part > length:
            self._parts.insert(0, part - length)
        return 0


def joined(parts: Iterable[bytes | int]) -> list[bytes | int]:
    """Return the parts with neighbours of one kind as one: how bytes were cut says nothing."""
    result: list[Any] = []
    part: Any
    for part in parts:
        if result and type(result[-1]) is type(part):
            result[-1] += part
        else:
            result.append(part)
    return result
