"""Results as small named records.

Tuples with names, made to be cheap: they compare, unpack and hash as tuples do. Knows no message
class; the front ends fill them.
"""

from __future__ import annotations

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


def state_name(state: int) -> str:
    """Return the usual name of a virDomainState; a number that is not known is shown as it is."""
    if 0 <= state < len(DOMAIN_STATES):
        return DOMAIN_STATES[state]
    return f"state {state}"


class DomainInfo(tuple[int, int, int, int, int]):
    """What a domain has and uses (virDomainInfo).

    ``state`` is a virDomainState (1 running, 3 paused, 5 shut off ...), ``max_memory_kib`` and
    ``memory_kib`` are the ceiling and what it has now in KiB, ``vcpus`` counts its virtual CPUs,
    ``cpu_time_ns`` is the CPU time spent since it started in nanoseconds.
    """

    __slots__ = ()

    def __new__(
        cls, state: int, max_memory_kib: int, memory_kib: int, vcpus: int, cpu_time_ns: int
    ) -> DomainInfo:
        return tuple.__new__(cls, (state, max_memory_kib, memory_kib, vcpus, cpu_time_ns))

    def __getnewargs__(self) -> tuple[int, int, int, int, int]:
        return (self[0], self[1], self[2], self[3], self[4])

    @property
    def state(self) -> int:
        """virDomainState: 1 running, 3 paused, 5 shut off, 6 crashed ..."""
        return self[0]

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

    ``state`` is a virDomainState; ``reason`` counts within that state (for 1, running:
    virDomainRunningReason, and so on).
    """

    __slots__ = ()

    def __new__(cls, state: int, reason: int) -> DomainStateInfo:
        return tuple.__new__(cls, (state, reason))

    def __getnewargs__(self) -> tuple[int, int]:
        return (self[0], self[1])

    @property
    def state(self) -> int:
        """virDomainState: 1 running, 3 paused, 5 shut off, 6 crashed ..."""
        return self[0]

    @property
    def reason(self) -> int:
        """Why, counted within the state."""
        return self[1]

    def __repr__(self) -> str:
        return f"DomainStateInfo(state={self[0]}, reason={self[1]})"
