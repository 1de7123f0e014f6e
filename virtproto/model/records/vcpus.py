"""Records on what runs on a host's CPUs for a domain: virtual CPUs and I/O threads."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import VcpuHostCpuState, VcpuState

__all__ = ["GuestVcpus", "IOThreadInfo", "VcpuInfo"]


class VcpuInfo(NamedTuple):
    """A virtual CPU (virVcpuInfo).

    ``number`` counts from 0; ``state`` is a ``VcpuState``; ``cpu_time_ns`` is the CPU time it has
    taken, in nanoseconds; ``cpu`` is the host's CPU that it is on, or a ``VcpuHostCpuState`` below
    0; ``affinity`` holds the numbers of the host's CPUs that it may run on. Of a domain that does
    not run, ``state``, ``cpu_time_ns`` and ``cpu`` are None.
    """

    number: int
    state: VcpuState | int | None
    cpu_time_ns: int | None
    cpu: VcpuHostCpuState | int | None
    affinity: frozenset[int]


class GuestVcpus(NamedTuple):
    """What a guest makes of its virtual CPUs (virDomainGetGuestVcpus): sets of their numbers.

    ``vcpus`` are all of them, ``online`` those in use, ``offlinable`` those that the guest can go
    without.
    """

    vcpus: frozenset[int]
    online: frozenset[int]
    offlinable: frozenset[int]


class IOThreadInfo(NamedTuple):
    """An I/O thread (virDomainIOThreadInfo).

    ``number`` is its id; ``affinity`` holds the numbers of the host's CPUs that it may run on.
    """

    number: int
    affinity: frozenset[int]
