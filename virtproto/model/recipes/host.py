"""Figures of the host that take a call for their number and one for themselves.

Responsible for asking how many there are first. Must not know what they mean.
"""

from __future__ import annotations

from virtproto.model.recipes.parameters import STRING_OKAY
from virtproto.model.typedvalues import from_params
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.typedvalues import ParamValue

__all__ = ["get_node_cpu_stats", "get_node_memory_stats", "get_node_sev_info"]


def get_node_cpu_stats(*, cpu_num: int, flags: int) -> Recipe[dict[str, int]]:
    """Return times of the host's CPUs by kind. Source: virNodeGetCPUStats."""
    counted = yield (
        wire.NODE_GET_CPU_STATS,
        wire.NodeGetCpuStatsArgs(cpuNum=cpu_num, nparams=0, flags=flags),
    )
    if not counted.nparams:
        return {}
    read = yield (
        wire.NODE_GET_CPU_STATS,
        wire.NodeGetCpuStatsArgs(cpuNum=cpu_num, nparams=counted.nparams, flags=flags),
    )
    return {one.field: one.value for one in read.params}


def get_node_memory_stats(*, cell_num: int, flags: int) -> Recipe[dict[str, int]]:
    """Return sizes of the host's memory by kind. Source: virNodeGetMemoryStats."""
    counted = yield (
        wire.NODE_GET_MEMORY_STATS,
        wire.NodeGetMemoryStatsArgs(nparams=0, cellNum=cell_num, flags=flags),
    )
    if not counted.nparams:
        return {}
    read = yield (
        wire.NODE_GET_MEMORY_STATS,
        wire.NodeGetMemoryStatsArgs(nparams=counted.nparams, cellNum=cell_num, flags=flags),
    )
    return {one.field: one.value for one in read.params}


def get_node_sev_info(*, flags: int) -> Recipe[dict[str, ParamValue]]:
    """Return what the host offers for encrypted domains. Source: virNodeGetSEVInfo.

    The daemon needs no number here; it answers in one call.
    """
    ret = yield (
        wire.NODE_GET_SEV_INFO,
        wire.NodeGetSevInfoArgs(nparams=0, flags=flags | STRING_OKAY),
    )
    return from_params(ret.params)
