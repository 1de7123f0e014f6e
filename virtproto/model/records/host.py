"""What the host says of itself."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NodeCPUMap", "NodeInfo", "NodeSecurityModel"]


class NodeInfo(NamedTuple):
    """The host's processors and memory (virNodeInfo).

    ``nodes * sockets * cores * threads`` is the most CPUs the host can have.
    """

    model: str
    """Architecture of the host, such as ``x86_64``."""
    memory_kib: int
    """Memory of the host in KiB."""
    cpus: int
    """How many CPUs (threads of execution) are active."""
    mhz: int
    """Speed of the CPUs in MHz, 0 where it is not known."""
    nodes: int
    """How many NUMA cells there are; 1 also where their topology is not regular."""
    sockets: int
    """How many sockets each NUMA cell has."""
    cores: int
    """How many cores each socket has."""
    threads: int
    """How many threads each core has."""


class NodeCPUMap(NamedTuple):
    """Which of the host's CPUs are online (virNodeGetCPUMap)."""

    total: int
    """How many CPUs the host has."""
    online: frozenset[int]
    """Numbers of the CPUs that are online, counted from 0."""
    online_count: int
    """How many are online."""


class NodeSecurityModel(NamedTuple):
    """What keeps the host's domains apart (virSecurityModel)."""

    model: str
    """Name of the model, such as ``selinux``, ``apparmor`` or ``dac``."""
    doi: str
    """Domain of interpretation: labels mean the same within it."""
