"""What a forked process does with the connections that its parent goes on using.

Responsible for finding them: every channel of the process is known here for as long as somebody
has it. What a channel does then is its own affair.
"""

from __future__ import annotations

# Below weakref, which takes long to import.
from _weakref import ref
from os import register_at_fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Inherited(Protocol):
        """A channel of either colour."""

        def leave_to_parent(self) -> None:
            """Close this process's descriptor, and nothing else."""


__all__ = ["remember"]

_channels: set[ref[Inherited]] = set()
# Bound once, for all of them.
_forget = _channels.discard


def remember(channel: Inherited) -> None:
    """Have ``channel.leave_to_parent`` called in every process forked from now on."""
    _channels.add(ref(channel, _forget))


def _leave_all_to_parent() -> None:
    for reference in list(_channels):
        channel = reference()
        if channel is not None:
            channel.leave_to_parent()


register_at_fork(after_in_child=_leave_all_to_parent)
