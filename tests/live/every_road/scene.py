"""What several roads share, made when the first of them asks and kept to the end of the session.

Responsible for keeping it and for clearing it away. Must not know the roads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Scene"]

_T = TypeVar("_T")


class Scene:
    """A folder, and what was entered for the sake of a road."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()
        self._kept: dict[Callable[[Scene], Any], Any] = {}

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def having(self, make: Callable[[Scene], AbstractContextManager[_T]]) -> _T:
        """Return what ``make`` yields; it is made once, and ends with the scene."""
        if make not in self._kept:
            self._kept[make] = self._stack.enter_context(make(self))
        kept: _T = self._kept[make]
        return kept
