"""What the host says of itself: results of procedures as records, sets and texts."""

from __future__ import annotations

from virtproto.model.bitmaps import unpack_cpumap
from virtproto.model.chars import chars_to_text
from virtproto.model.records.host import NodeCPUMap, NodeInfo, NodeSecurityModel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.node import (
        NodeGetCpuMapRet,
        NodeGetInfoRet,
        NodeGetSecurityModelRet,
    )

__all__ = ["cpu_map", "node_info", "security_model"]


def node_info(ret: NodeGetInfoRet) -> NodeInfo:
    """Return the host's processors and memory. Source: virNodeGetInfo."""
    return NodeInfo(
        model=chars_to_text(ret.model),
        memory_kib=ret.memory,
        cpus=ret.cpus,
        mhz=ret.mhz,
        nodes=ret.nodes,
        sockets=ret.sockets,
        cores=ret.cores,
        threads=ret.threads,
    )


def cpu_map(ret: NodeGetCpuMapRet) -> NodeCPUMap:
    """Return which of the host's CPUs are online. Source: virNodeGetCPUMap."""
    return NodeCPUMap(total=ret.ret, online=unpack_cpumap(ret.cpumap), online_count=ret.online)


def security_model(ret: NodeGetSecurityModelRet) -> NodeSecurityModel:
    """Return the host's security model. Source: virNodeGetSecurityModel."""
    return NodeSecurityModel(model=chars_to_text(ret.model), doi=chars_to_text(ret.doi))
