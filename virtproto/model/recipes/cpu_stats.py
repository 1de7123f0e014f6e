"""A domain's CPU time in total and on each CPU of its host, in as many calls as it takes.

Responsible for the counts and limits of the call, and for cutting its flat list into CPUs.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, UsageError
from virtproto.model.recipes.parameters import STRING_OKAY
from virtproto.model.typedvalues import from_params
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue
    from virtproto.wire.remote.types import NonnullDomain

    Stats = list[dict[str, ParamValue]]

__all__ = ["get_cpu_stats"]

# Stands for all CPUs together.
_TOTAL = -1


def get_cpu_stats(
    domain: NonnullDomain, *, start_cpu: int, num_cpus: int | None, flags: int
) -> Recipe[Stats]:
    """Return one dict for each CPU from ``start_cpu`` on, or one for the total.

    Source: virDomainGetCPUStats.
    """
    if start_cpu < _TOTAL:
        raise UsageError(f"start_cpu: {start_cpu} is neither a CPU nor -1 for the total")
    if start_cpu == _TOTAL and num_cpus not in (None, 1):
        raise UsageError(f"num_cpus: the total is one, not {num_cpus}")
    if num_cpus == 0:
        return []
    if start_cpu == _TOTAL:
        num_cpus = 1
    elif num_cpus is None:
        # The reply to this question says how many CPUs there are.
        counted = yield from _ask(domain, 0, 0, 0, flags)
        num_cpus = max(counted.nparams - start_cpu, 1)
    counted = yield from _ask(domain, 0, start_cpu, 1, flags)
    width = counted.nparams
    stats: Stats = []
    while width > 0 and len(stats) < num_cpus:
        wanted = min(num_cpus - len(stats), wire.DOMAIN_GET_CPU_STATS_NCPUS_MAX)
        # The total stands alone, so that its start is never moved.
        found = yield from _ask(domain, width, start_cpu + len(stats), wanted, flags)
        cut = _cut(found, width, wanted)
        stats += cut
        if len(cut) < wanted:
            # The host's last CPU was among them.
            break
    return stats


def _ask(
    domain: NonnullDomain, width: int, start_cpu: int, count: int, flags: int
) -> Recipe[wire.DomainGetCpuStatsRet]:
    asked = wire.DomainGetCpuStatsArgs(
        dom=domain, nparams=width, start_cpu=start_cpu, ncpus=count, flags=flags | STRING_OKAY
    )
    found: wire.DomainGetCpuStatsRet = yield wire.DOMAIN_GET_CPU_STATS, asked
    return found


def _cut(found: wire.DomainGetCpuStatsRet, width: int, wanted: int) -> Stats:
    """Return the flat list of a reply as one dict for each CPU."""
    params = found.params
    if not params:
        return []
    # How many the daemon has for each CPU, which may be fewer than it was asked for.
    each = found.nparams
    if not 0 < each <= width or len(params) % each or len(params) > each * wanted:
        raise DecodeError(
            f"{len(params)} parameters, {each} for each CPU, cannot be those of {wanted} CPUs"
        )
    return [from_params(params[place : place + each]) for place in range(0, len(params), each)]
