"""What a domain's memory is limited to, what is measured of it, and what is in it.

Must not know how the pieces of a memory that is read fit together.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, UsageError
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import ParameterSet
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamInput, ParamValue
    from virtproto.wire.remote.types import NonnullDomain

__all__ = [
    "get_memory_parameters",
    "get_numa_parameters",
    "memory_peek",
    "memory_stats",
    "set_memory_parameters",
    "set_numa_parameters",
]

_LIMITS = ParameterSet(
    wire.DOMAIN_GET_MEMORY_PARAMETERS,
    wire.DOMAIN_SET_MEMORY_PARAMETERS,
    known=KNOWN["MEMORY"],
    limit=wire.DOMAIN_MEMORY_PARAMETERS_MAX,
)
_NUMA = ParameterSet(
    wire.DOMAIN_GET_NUMA_PARAMETERS,
    wire.DOMAIN_SET_NUMA_PARAMETERS,
    known=KNOWN["NUMA"],
    limit=wire.DOMAIN_NUMA_PARAMETERS_MAX,
)

# Documented names of virDomainMemoryStatTags, by number.
_STATS = (
    "swap_in",
    "swap_out",
    "major_fault",
    "minor_fault",
    "unused",
    "available",
    "actual_balloon",
    "rss",
    "usable",
    "last_update",
    "disk_caches",
    "hugetlb_pgalloc",
    "hugetlb_pgfail",
)


def memory_stats(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, int]]:
    """Return figures by name. As many are asked for as the contract allows: a daemon may know more
    than this side has names for. Source: virDomainMemoryStats.
    """
    asked = wire.DomainMemoryStatsArgs(
        dom=domain, maxStats=wire.DOMAIN_MEMORY_STATS_MAX, flags=flags
    )
    found = yield wire.DOMAIN_MEMORY_STATS, asked
    return {_stat_name(one.tag): one.val for one in found.stats}


def _stat_name(tag: int) -> str:
    return _STATS[tag] if 0 <= tag < len(_STATS) else f"tag_{tag}"


def memory_peek(domain: NonnullDomain, *, offset: int, size: int, flags: int) -> Recipe[bytes]:
    """Return memory of a guest, all of what was asked for.

    Not split where one call cannot bring it: the guest writes in between. Source:
    virDomainMemoryPeek.
    """
    limit = wire.DOMAIN_MEMORY_PEEK_BUFFER_MAX
    if size > limit:
        raise UsageError(f"size: {size} bytes are more than the {limit} that one call can bring")
    found = yield (
        wire.DOMAIN_MEMORY_PEEK,
        wire.DomainMemoryPeekArgs(dom=domain, offset=offset, size=size, flags=flags),
    )
    data: bytes = found.buffer
    if len(data) != size:
        raise DecodeError(f"{len(data)} bytes of memory came, {size} were asked for")
    return data


def get_memory_parameters(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return the limits on a domain's memory. Source: virDomainGetMemoryParameters."""
    return _LIMITS.get(dom=domain, flags=flags)


def set_memory_parameters(
    domain: NonnullDomain, *, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Change limits on a domain's memory. Source: virDomainSetMemoryParameters."""
    return _LIMITS.set(dom=domain, params=params, flags=flags)


def get_numa_parameters(domain: NonnullDomain, *, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return where a domain's memory comes from. Source: virDomainGetNumaParameters."""
    return _NUMA.get(dom=domain, flags=flags)


def set_numa_parameters(
    domain: NonnullDomain, *, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Say where a domain's memory comes from. Source: virDomainSetNumaParameters."""
    return _NUMA.set(dom=domain, params=params, flags=flags)
