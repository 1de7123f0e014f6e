"""The table of URIs and how it is read: what is opened, by whom, and what is there to be found.

Responsible for ``uri_table.toml``. Knows neither client.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Case", "read_cases"]

_TABLE = Path(__file__).with_name("uri_table.toml")


@dataclass(frozen=True)
class Case:
    """One opening of a connection.

    ``user`` is "root" or "nobody"; ``environment`` holds what differs from the usual one, "" for a
    variable that is not there; ``config`` is the text of that user's libvirt.conf; ``sockets`` are
    the unix sockets where a daemon listens, "@name" for abstract ones; ``offers`` the kinds of
    authentication that daemons offer; ``answers`` whether the caller answers questions; ``started``
    is where a daemon listens that the client itself starts.
    """

    group: str
    uri: str | None
    user: str = "root"
    readonly: bool = False
    aliases: bool = True
    autostart: bool = False
    answers: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    config: str = ""
    sockets: tuple[str, ...] = ("/run/libvirt/libvirt-sock",)
    offers: tuple[int, ...] = (0,)
    started: str | None = None

    @property
    def name(self) -> str:
        """What the test of it is called."""
        return f"{self.group}: {self.uri}"


def read_cases() -> list[Case]:
    """Return all cases of the table; no two of a group have the same URI."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    cases = [case for group in table["group"] for case in _cases_of(group)]
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{_TABLE.name} has these twice: {twice}")
    return cases


def _cases_of(group: dict[str, Any]) -> list[Case]:
    settings = {key: value for key, value in group.items() if key not in ("name", "uris")}
    for name in ("sockets", "offers"):
        if name in settings:
            settings[name] = tuple(settings[name])
    # TOML has no word for no URI at all.
    uris = [None if uri == "<none>" else uri for uri in group["uris"]]
    return [Case(group["name"], uri, **settings) for uri in uris]
