"""The page that tells which types of events are caused and compared, which are not, and why.

Responsible for the page alone. It must not know how an event is caused.
"""

from __future__ import annotations

from tests.differential.events.cause import LIFECYCLE, lifecycles
from tests.differential.events.causes import CAUSES, NOT_CAUSED
from tests.lab.place import repository
from virtproto.model.event_kinds import KINDS, QEMU, EventKind

__all__ = ["PAGE", "page"]

PAGE = repository / "docs" / "events.md"

_INTRODUCTION = """\
# Events, caused and compared

Of {all} types of events that a libvirtd sends, {caused} are caused on a real daemon (libvirtd
9.0.0, its test driver and its QEMU driver with emulated guests), while three listeners hear them:
Debian's python3-libvirt 9.0.0, which is libvirt's C library, by its callbacks; `virtproto` and
`virtproto.aio` by their iterators. What one act brings has to be the same for all three, event by
event, in the same order, with the same object and the same values. Both colours listen a second
time, by registrations without IDs, which is how daemons of old have it ({older} types about
domains); what they hear has to be the same too. All {all} types are also read from bytes that were
written by hand, in both ways.

Most guests here are a boot sector that writes to its machine's ports as the test tells it, so that
the clock, the watchdog, the disks, sleep and panic are real to QEMU; one is Linux with an agent.

This page is written by `python -m tests.differential`; a test keeps it up to date."""


def page() -> str:
    """Return the page."""
    kinds = [kind for kind in KINDS.values() if kind.by_id]
    introduction = _INTRODUCTION.format(
        all=len(kinds),
        caused=len(kinds) - len(NOT_CAUSED),
        older=len(KINDS) - len(kinds),
    )
    rows = [
        f"| `{kind.record}` | {kind.family} | {_id(kind)} | {_how(kind.record)} |" for kind in kinds
    ]
    parts = [
        introduction,
        "\n".join(["| event | family | ID | caused by |", "|---|---|---:|---|", *rows]),
        "## What can happen to a domain",
        "Of `DomainLifecycle`, by what has happened and how or why.",
        "\n".join(["| what | caused by |", "|---|---|", *_lifecycle_rows()]),
    ]
    return "\n\n".join(parts) + "\n"


def _id(kind: EventKind) -> str:
    return "by name" if kind.family == QEMU else str(kind.event_id)


def _how(record: str) -> str:
    if record in NOT_CAUSED:
        return f"not caused: {NOT_CAUSED[record]}"
    if record == LIFECYCLE:
        return "see below"
    return _acts(record)


def _acts(name: str) -> str:
    """Return the acts that have to bring an event."""
    return "; ".join(cause.told for cause in CAUSES if name in cause.brings)


def _lifecycle_rows() -> list[str]:
    rows = []
    for details in lifecycles():
        for name in details:
            shown = name.removeprefix(f"{LIFECYCLE} ").replace(" ", ", ", 1)
            rows.append(f"| {shown} | {_acts(name) or '-'} |")
    return rows
