"""Bytes that arrive split anywhere, kept until there are as many as somebody needs.

Responsible for looking at no byte twice that trickles in. Must not know what the bytes are.
"""

from __future__ import annotations

__all__ = ["Gatherer"]


class Gatherer:
    """What came and was not used yet; ``offset`` is where that begins among all that came."""

    __slots__ = ("_pieces", "held", "offset", "wanted")

    def __init__(self, wanted: int = 1) -> None:
        self.offset = 0
        # How many bytes are here, and how many there must be before it makes sense to look.
        self.held = 0
        self.wanted = wanted
        self._pieces: list[bytes] = []

    def add(self, data: bytes) -> bytes | None:
        """Take bytes; return all that are here once they are as many as wanted, else None.

        `use` is to be called then, before the next `add`.
        """
        if data:
            pieces = self._pieces
            pieces.append(data)
            self.held += len(data)
            # Tiny ones take far more memory than they have bytes. Joined with those of their size
            # only, each byte is copied few times.
            while len(pieces) > 1 and len(pieces[-2]) <= len(pieces[-1]):
                last = pieces.pop()
                pieces[-1] += last
        return None if self.held < self.wanted else self.all()

    def all(self) -> bytes:
        """Return all that is here, and keep it."""
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def use(self, count: int, wanted: int) -> None:
        """Drop the first ``count`` bytes, and say how many there must be to look again."""
        if count:
            rest = self.all()[count:]
            self._pieces = [rest] if rest else []
            self.held = len(rest)
            self.offset += count
        self.wanted = wanted

    def clear(self) -> None:
        """Drop all that is here."""
        self.offset += self.held
        self._pieces = []
        self.held = 0
