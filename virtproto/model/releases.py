"""Releases of libvirt: which first had a procedure, and how a daemon's own compares to it.

Responsible for the table's notation. Must not know: how a daemon is asked for its release.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.xdr.procedure import Procedure

__all__ = ["OLDEST", "first_release", "release_needed"]

# The oldest release that this library is made for, as major * 1000000 + minor * 1000 + patch.
OLDEST = 7_000_000


def first_release(procedure: Procedure[Any, Any]) -> str | None:
    """Return the release that brought a procedure, or a bound ("<=1.2.3"); None if unknown."""
    # Both are needed for errors and for rare calls only, and the table is long.
    from virtproto.wire import PROGRAMS
    from virtproto.wire.since import SINCE

    for program, number in PROGRAMS.items():
        if number == procedure.program:
            return SINCE.get(program, {}).get(procedure.number)
    return None


def release_needed(procedure: Procedure[Any, Any]) -> int:
    """Return the release that surely knows a procedure, as a number; 0 if ``OLDEST`` does.

    Also 0 for a procedure that nothing is known of.
    """
    since = first_release(procedure)
    if since is None:
        return 0
    major, minor, patch = map(int, since.removeprefix("<=").split("."))
    number = major * 1_000_000 + minor * 1_000 + patch
    return number if number > OLDEST else 0
