"""Way: one road with a daemon at its end, and the list of all.

Responsible for how a road is named and opened. Must not know how any of them is made.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.live.every_road.scene import Scene

__all__ = ["ROADS", "Way", "in_environment", "road"]


@dataclass(frozen=True)
class Way:
    """A road that can be taken.

    ``transport``, ``host`` (with its port) and ``parameters`` are those of the URI; ``options``
    makes what else ``open`` is told, anew each time; ``during`` is a block to open a connection in.
    ``secure`` and ``encrypted`` is what the connection has to say of itself. ``readonly`` roads
    lead to a door for those who only watch; ``storage`` is the daemon's driver for volumes, and
    ``owner`` the user that it runs as; ``version`` is its release.
    """

    daemon: PrivateDaemon
    transport: str
    host: str = ""
    parameters: str = ""
    options: Callable[[], Mapping[str, Any]] = dict
    during: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    secure: bool = True
    encrypted: bool = False
    readonly: bool = False
    storage: str = "storage:///system"
    owner: int = 0
    version: str = "9.0.0"

    def uri(self, name: str) -> str:
        """Return the URI by which driver ``name`` ("test:///default") is reached."""
        scheme, _, path = name.partition("://")
        query = f"?{self.parameters}" if self.parameters else ""
        return f"{scheme}+{self.transport}://{self.host}{path}{query}"

    @contextlib.contextmanager
    def opened(self, open_in_colour: Open, name: str, **more: Any) -> Iterator[Any]:
        """Open a connection to driver ``name`` for a block."""
        given = {"readonly": self.readonly, **self.options(), **more}
        with contextlib.ExitStack() as stack:
            with self.during():
                connection = stack.enter_context(open_in_colour(self.uri(name), **given))
            yield connection


Maker = Callable[[Scene], Way]
ROADS: dict[str, Maker] = {}


def road(name: str) -> Callable[[Maker], Maker]:
    """Have the function that is decorated make the road ``name``."""

    def add(maker: Maker) -> Maker:
        assert name not in ROADS
        ROADS[name] = maker
        return maker

    return add


@contextlib.contextmanager
def in_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have variables of the environment be so for a block."""
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
