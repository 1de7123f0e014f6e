"""What of an observed opening has to be alike in both clients, and where it is not.

Responsible for leaving out what may differ (words, retries, the order in which a client looks for
an agent) and for the table of differences that are intended. Knows nothing of how one observes.
"""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.uri_place import PLACE

__all__ = [
    "PARTS",
    "TOLERATED_ENVIRONMENT",
    "contradictions",
    "Intended",
    "essence",
    "intended_differences",
    "parts_that_differ",
]

_INTENDED = Path(__file__).with_name("uri_intended.toml")
_AGENT = f"unix:{PLACE}/agent"
_READ_ONLY = 1

# What virtproto's programs are given of the environment and those of libvirt 9.0.0 are not.
TOLERATED_ENVIRONMENT = {
    "SSH_ASKPASS_REQUIRE": "libvirt passes it to ssh since 11.3",
    "PWD": "a daemon is started by a shell in between, which sets it",
    "OLDPWD": "the same",
}

# refused: whether it was; connects: the addresses, in order; opened: by which way a daemon was
# reached, what it was asked first, and the name that was sent; ran: programs and arguments;
# environment: what the programs are given of it; tls: the certificate shown and the version; ssh:
# user, ways of proving who he is, and the remote command; agent: whether ssh's agent was looked
# for; remembered: hosts that are known from now on; asked: the credentials that are asked for.
PARTS = (
    *("refused", "connects", "opened", "ran", "environment"),
    *("tls", "ssh", "remembered", "agent", "asked"),
)


@dataclass(frozen=True)
class Intended:
    """A difference that is meant to be: in which parts of which cases, and why."""

    reason: str
    parts: frozenset[str]
    cases: tuple[str, ...]


def essence(observed: dict[str, Any]) -> dict[str, Any]:
    """Return of an observation what has to be equal, by the names of ``PARTS``."""
    connects = [address for address in observed["connects"] if address != _AGENT]
    return {
        "refused": observed["refused"] is not None,
        # Who waits for a daemon to come up tries the same address again and again.
        "connects": [address for address, _ in itertools.groupby(connects)],
        "opened": [
            # Of the flags a daemon looks at one only; the others are the C client's own affairs.
            {**opened, "flags": opened.get("flags", 0) & _READ_ONLY}
            for opened in observed["opened"]
        ],
        "ran": [program["argv"] for program in observed["ran"]],
        "environment": [_required(program["environment"]) for program in observed["ran"]],
        # A host that is refused may be refused before or after it knows what was agreed.
        "tls": [] if observed["refused"] else observed["tls"],
        "ssh": observed["ssh"],
        # libssh2 writes the port even where it is the usual one.
        "remembered": [
            (path, name[1:-4] if name.endswith("]:22") else name)
            for path, name in observed["remembered"]
        ],
        "agent": _AGENT in observed["connects"],
        "asked": observed["asked"],
    }


def _required(environment: list[str]) -> list[str]:
    return [entry for entry in environment if entry.split("=")[0] not in TOLERATED_ENVIRONMENT]


def parts_that_differ(theirs: dict[str, Any], ours: dict[str, Any]) -> frozenset[str]:
    """Return the names of the parts that differ in two essences."""
    return frozenset(part for part in PARTS if theirs[part] != ours[part])


def intended_differences() -> dict[str, Intended]:
    """Return the table of ``uri_intended.toml``, by the names of cases."""
    table = tomllib.loads(_INTENDED.read_text(encoding="utf-8"))
    found: dict[str, Intended] = {}
    for entry in table["difference"]:
        intended = Intended(entry["reason"], frozenset(entry["parts"]), tuple(entry["cases"]))
        for case in intended.cases:
            if case in found:
                raise ValueError(f"{_INTENDED.name} has {case!r} twice")
            found[case] = intended
    return found


def contradictions(told: dict[str, Any], done: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what ``virtproto uri`` tells and what was observed of it, where they are not equal.

    Each with the name of what is told. What did not come to pass contradicts nothing.
    """
    road = told["road"]
    pairs = [("name", told["open"]["name"], _each(done["opened"], "name"))]
    match road["kind"]:
        case "unix":
            paths = [path.split(" and ")[0] for path in done["connects"]]
            pairs.append(("path", f"unix:{road['path']}", paths))
        case "tcp" | "tls":
            ports = [int(address.rpartition(":")[2]) for address in done["connects"]]
            pairs.append(("port", road["port"], ports))
        case "ssh" | "ext":
            pairs.append(("argv", road["argv"][1:], [ran["argv"][1:] for ran in done["ran"]]))
            pairs.append(("program", road["program"], [ran["argv"][0] for ran in done["ran"]]))
        case _:
            pairs.append(("remote_command", road["remote_command"], _each(done["ssh"], "command")))
            pairs.append(("user", road["user"], _each(done["ssh"], "user")))
            pairs.append(("port", road["port"], [visit["at"][1] for visit in done["ssh"]]))
    return [(what, one, each) for what, one, seen in pairs for each in seen if each != one]


def _each(notes: list[dict[str, Any]], name: str) -> list[Any]:
    return [note[name] for note in notes if name in note]
