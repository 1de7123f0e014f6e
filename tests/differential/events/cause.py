"""What a cause of events is, and how what comes of it is named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from tests.differential.events.ears import Heard
from tests.differential.events.scenes import Scene
from virtproto import constants

__all__ = ["LIFECYCLE", "Cause", "lifecycles", "name_of"]

LIFECYCLE = "DomainLifecycle"
# By the number of what has happened to a domain: the set of constants that tells more.
_DETAILS: tuple[str, ...] = (
    "Defined",
    "Undefined",
    "Started",
    "Suspended",
    "Resumed",
    "Stopped",
    "Shutdown",
)
_DETAILS += ("PMSuspended", "Crashed")


@dataclass(frozen=True)
class Cause:
    """One act: on which scene, what is done (for a reader), how, and what has to come of it.

    ``brings`` has the names of the events that come at the least, each as often as it comes.
    """

    scene: str
    told: str
    act: Callable[[Scene], object]
    brings: tuple[str, ...]
    # Whether it goes on from where the one before has left a guest that does not run.
    wants_paused: bool = False


def name_of(heard: Heard) -> str:
    """Return an event's name: its record's, and of a lifecycle what happened, by its constants."""
    name: str = heard[0]
    if name != LIFECYCLE:
        return name
    event, detail = heard[-2:]
    return lifecycles()[event][detail]


@functools.cache
def lifecycles() -> list[list[str]]:
    """Return the names of a domain's lifecycle events, by what happened and how or why."""
    return [
        [
            f"{LIFECYCLE} {constants.DomainEventType(event).name} {detail.name}"
            for detail in getattr(constants, f"DomainEvent{name}DetailType")
        ]
        for event, name in enumerate(_DETAILS)
    ]
