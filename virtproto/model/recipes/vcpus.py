"""Virtual CPUs: what they do, where they may run, and plugging them; performance counters.

Responsible for the sizes that the daemon wants to be told, and for which question it can answer.
"""

from __future__ import annotations

from virtproto.errors import OperationInvalidError
from virtproto.model.bitmaps import unpack_cpumap
from virtproto.model.cpulists import format_cpulist
from virtproto.model.parameters import KNOWN
from virtproto.model.recipes.parameters import set_parameters
from virtproto.model.shapes.vcpus import pinned_vcpus, vcpus
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.recipes import Recipe
    from virtproto.model.records.vcpus import VcpuInfo
    from virtproto.model.typedvalues import ParamInput
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.typedparams import TypedParams

__all__ = [
    "get_emulator_pin_info",
    "get_vcpu_info",
    "set_guest_vcpus",
    "set_perf_events",
    "set_vcpu",
]


def _map_length() -> Recipe[int]:
    """Return how many bytes a map of the host's CPUs has, as libvirt counts them."""
    node = yield wire.NODE_GET_INFO, None
    cpus: int = node.nodes * node.sockets * node.cores * node.threads
    return (cpus + 7) // 8


def get_vcpu_info(domain: NonnullDomain, *, flags: int) -> Recipe[list[VcpuInfo]]:
    """Return what is known of each virtual CPU, of a stopped domain its affinity alone.

    Sources: virDomainGetVcpus, virDomainGetVcpuPinInfo.
    """
    maplen = yield from _map_length()
    info = yield wire.DOMAIN_GET_INFO, wire.DomainGetInfoArgs(dom=domain)
    count = info.nrVirtCpu
    if not flags:
        try:
            running = yield (
                wire.DOMAIN_GET_VCPUS,
                wire.DomainGetVcpusArgs(dom=domain, maxinfo=count, maplen=maplen),
            )
            return vcpus(running, maplen)
        except OperationInvalidError:
            # It does not run.
            pass
    pinned = yield (
        wire.DOMAIN_GET_VCPU_PIN_INFO,
        wire.DomainGetVcpuPinInfoArgs(dom=domain, ncpumaps=count, maplen=maplen, flags=flags),
    )
    return pinned_vcpus(pinned, maplen)


def get_emulator_pin_info(domain: NonnullDomain, *, flags: int) -> Recipe[frozenset[int]]:
    """Return where the hypervisor's own threads may run. Source: virDomainGetEmulatorPinInfo."""
    maplen = yield from _map_length()
    found = yield (
        wire.DOMAIN_GET_EMULATOR_PIN_INFO,
        wire.DomainGetEmulatorPinInfoArgs(dom=domain, maplen=maplen, flags=flags),
    )
    return unpack_cpumap(found.cpumaps)


def set_vcpu(domain: NonnullDomain, *, cpumap: bytes, state: int, flags: int) -> Recipe[None]:
    """Plug virtual CPUs, which this call names in text. Source: virDomainSetVcpu."""
    yield (
        wire.DOMAIN_SET_VCPU,
        wire.DomainSetVcpuArgs(dom=domain, cpumap=_listed(cpumap), state=state, flags=flags),
    )


def set_guest_vcpus(
    domain: NonnullDomain, *, cpumap: bytes, state: int, flags: int
) -> Recipe[None]:
    """Switch virtual CPUs inside the guest. Source: virDomainSetGuestVcpus."""
    yield (
        wire.DOMAIN_SET_GUEST_VCPUS,
        wire.DomainSetGuestVcpusArgs(dom=domain, cpumap=_listed(cpumap), state=state, flags=flags),
    )


def _listed(cpumap: bytes) -> str:
    return format_cpulist(unpack_cpumap(cpumap))


def set_perf_events(
    domain: NonnullDomain, *, params: Mapping[str, ParamInput], flags: int
) -> Recipe[None]:
    """Switch the counting of events. Source: virDomainSetPerfEvents."""
    return set_parameters(
        wire.DOMAIN_SET_PERF_EVENTS,
        lambda typed: wire.DomainSetPerfEventsArgs(dom=domain, params=typed, flags=flags),
        values=params,
        known=KNOWN["PERF"],
        limit=wire.DOMAIN_PERF_EVENTS_MAX,
        current=lambda: _perf_events(domain, flags),
    )


def _perf_events(domain: NonnullDomain, flags: int) -> Recipe[TypedParams]:
    found = yield (
        wire.DOMAIN_GET_PERF_EVENTS,
        wire.DomainGetPerfEventsArgs(dom=domain, flags=flags),
    )
    params: TypedParams = found.params
    return params
