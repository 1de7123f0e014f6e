"""Results as small named records.

Tuples with names, made to be cheap: they compare, unpack and hash as tuples do. What they hold is
plain ints; the members of enums are looked up when a property is read, since loading them takes
longer than the call. Knows no message class; the front ends fill them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import (
        DomainBlockedReason,
        DomainCrashedReason,
        DomainNostateReason,
        DomainPausedReason,
        DomainPMSuspendedReason,
        DomainRunningReason,
        DomainShutdownReason,
        DomainShutoffReason,
        DomainState,
    )

    StateReason = (
        DomainNostateReason
        | DomainRunningReason
        | DomainBlockedReason
        | DomainPausedReason
        | DomainShutdownReason
        | DomainShutoffReason
        | DomainCrashedReason
        | DomainPMSuspendedReason
        | int
    )

__all__ = ["DomainInfo", "DomainStateInfo", "DOMAIN_STATES", "state_name"]

# Names of virDomainState in the words of the field (virsh list), by number.
DOMAIN_STATES = (
    "no state",
    "running",
    "idle",
    "paused",
    "in shutdown",
    "shut off",
    "crashed",
    "pmsuspended",
)

# The enums that say why a domain is in a state, by number of the state.
_REASONS = (
    "DomainNostateReason",
    "DomainRunningReason",
    "DomainBlockedReason",
    "DomainPausedReason",
    "DomainShutdownReason",
    "DomainShutoffReason",
    "DomainCrashedReason",
    "DomainPMSuspendedReason",
)


def state_name(state: int) -> str:
    """Return the usual name of a virDomainState; a number that is not known is shown as it is."""
    if 0 <= state < len(DOMAIN_STATES):
        return DOMAIN_STATES[state]
    return f"state {state}"


def _state(number: int) -> DomainState | int:
    from virtproto.constants import member

    return member("DomainState", number)


class DomainInfo(tuple[int, int, int, int, int]):
    """What a domain has and uses (virDomainInfo).

    ``state`` is a ``DomainState``, ``max_memory_kib`` and ``memory_kib`` are the ceiling and what
    it has now in KiB, ``vcpus`` counts its virtual CPUs, ``cpu_time_ns`` is the CPU time spent
    since it started in nanoseconds. Unpacked, the state is its plain number: the property makes
    it a member.
    """

    __slots__ = ()

    def __new__(
        cls, state: int, max_memory_kib: int, memory_kib: int, vcpus: int, cpu_time_ns: int
    ) -> DomainInfo:
        return tuple.__new__(cls, (state, max_memory_kib, memory_kib, vcpus, cpu_time_ns))

    def __getnewargs__(self) -> tuple[int, int, int, int, int]:
        return (self[0], self[1], self[2], self[3], self[4])

    @property
    def state(self) -> DomainState | int:
        """What it is doing: a ``DomainState``, or the number of one that has no name here."""
        return _state(self[0])

    @property
    def max_memory_kib(self) -> int:
        """The most memory it may have, in KiB."""
        return self[1]

    @property
    def memory_kib(self) -> int:
        """The memory it has now, in KiB."""
        return self[2]

    @property
    def vcpus(self) -> int:
        """How many virtual CPUs it has."""
        return self[3]

    @property
    def cpu_time_ns(self) -> int:
        """CPU time spent since it started, in nanoseconds."""
        return self[4]

    def __repr__(self) -> str:
        return (
            f"DomainInfo(state={self[0]}, max_memory_kib={self[1]}, memory_kib={self[2]}, "
            f"vcpus={self[3]}, cpu_time_ns={self[4]})"
        )


class DomainStateInfo(tuple[int, int]):
    """A domain's state and why it is in it: ``state, reason = dom.get_state()``.

    ``state`` is a ``DomainState``; ``reason`` counts within that state, in an enum of its own for
    each: ``DomainRunningReason``, ``DomainPausedReason`` and so on. Unpacked, both are plain
    numbers, equal to the members that the properties make of them.
    """

    __slots__ = ()

    def __new__(cls, state: int, reason: int) -> DomainStateInfo:
        return tuple.__new__(cls, (state, reason))

    def __getnewargs__(self) -> tuple[int, int]:
        return (self[0], self[1])

    @property
    def state(self) -> DomainState | int:
        """What it is doing: a ``DomainState``, or the number of one that has no name here."""
        return _state(self[0])

    @property
    def reason(self) -> StateReason:
        """Why: a member of the state's own enum, or the number of one that has no name here."""
        if not 0 <= self[0] < len(_REASONS):
            return self[1]
        from virtproto.constants import member

        return member(_REASONS[self[0]], self[1])

    def __repr__(self) -> str:
        return f"DomainStateInfo(state={self[0]}, reason={self[1]})"
