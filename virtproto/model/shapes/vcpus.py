"""Virtual CPUs and I/O threads, from the daemon's messages."""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.bitmaps import unpack_cpumap, unpack_cpumaps
from virtproto.model.cpulists import parse_cpulist
from virtproto.model.records.vcpus import GuestVcpus, IOThreadInfo, VcpuInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire import remote as wire

__all__ = ["guest_vcpus", "iothreads", "pinned_vcpus", "vcpus"]


def vcpus(ret: wire.DomainGetVcpusRet, maplen: int) -> list[VcpuInfo]:
    """Return the virtual CPUs of a running domain; ``maplen`` is the bytes of a CPU map."""
    maps = unpack_cpumaps(ret.cpumaps, maplen, len(ret.info))
    return [
        VcpuInfo(
            one.number,
            member("VcpuState", one.state),
            one.cpu_time,
            # Host CPUs from 0 on are numbers; below stands why there is none.
            one.cpu if one.cpu >= 0 else member("VcpuHostCpuState", one.cpu),
            affinity,
        )
        for one, affinity in zip(ret.info, maps, strict=True)
    ]


def pinned_vcpus(ret: wire.DomainGetVcpuPinInfoRet, maplen: int) -> list[VcpuInfo]:
    """Return the virtual CPUs of a domain of which the affinities alone are known."""
    maps = unpack_cpumaps(ret.cpumaps, maplen, max(ret.num, 0))
    return [VcpuInfo(number, None, None, None, affinity) for number, affinity in enumerate(maps)]


def iothreads(ret: wire.DomainGetIothreadInfoRet) -> list[IOThreadInfo]:
    """Return a domain's I/O threads."""
    return [IOThreadInfo(one.iothread_id, unpack_cpumap(one.cpumap)) for one in ret.info]


def guest_vcpus(ret: wire.DomainGetGuestVcpusRet) -> GuestVcpus:
    """Return what a guest makes of its virtual CPUs; what the daemon left out reads as none."""
    lists = ret.params.to_dict()
    return GuestVcpus(
        *(parse_cpulist(str(lists.get(name, ""))) for name in ("vcpus", "online", "offlinable"))
    )
