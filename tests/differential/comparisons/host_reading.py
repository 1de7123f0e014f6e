"""What a connection tells about the daemon, the hypervisor and the host."""

from __future__ import annotations

from typing import Any

from tests.differential.comparison import Comparison, nothing
from tests.differential.likeness import rising, varying, within
from tests.differential.writing import reading
from virtproto.records import NodeInfo

__all__ = ["COMPARISONS"]

_CPU_XML = "<cpu><arch>x86_64</arch><model>core2duo</model></cpu>"
_OTHER_CPU_XML = "<cpu><arch>x86_64</arch><model>kvm64</model></cpu>"
_STALE_CPU_XML = "<cpu><arch>x86_64</arch><model>no-such-model</model></cpu>"
_MIB = 1024 * 1024
_EMULATOR = ("/usr/bin/qemu-system-x86_64", "x86_64", "pc", "qemu")

# Linux corrects the time spent waiting downwards, too.
_TIMES = rising("kernel", "user", "idle") | varying("iowait")
_USED = varying("free", "buffers", "cached")


def _as_the_binding_tells(info: NodeInfo) -> list[object]:
    """The C binding tells memory in MiB."""
    return [info.model, info.memory_kib // 1024, *info[2:]]


def _with_numbers(answer: list[Any]) -> list[Any]:
    """The C binding tells a map as booleans."""
    total, online, count = answer
    return [total, [number for number, there in enumerate(online) if there], count]


def _by_cell(answer: dict[str, dict[str, int]]) -> list[dict[int, int]]:
    """JSON makes texts of the C binding's keys."""
    return [{int(size): count for size, count in cell.items()} for cell in answer.values()]


_DAEMON = (
    reading("test qemu", "Connection.get_library_version", "getLibVersion"),
    reading("test qemu", "Connection.get_version", "getVersion"),
    *(
        reading(
            "test qemu",
            f"Connection.get_{part}_version",
            "getVersion",
            theirs=lambda number, divisor=divisor: number // divisor % 1000,
        )
        for part, divisor in (("major", 1_000_000), ("minor", 1_000), ("micro", 1))
    ),
    reading("test qemu", "Connection.get_hostname", "getHostname"),
    reading("test qemu", "Connection.get_uri", "getURI"),
    reading("test qemu", "Connection.get_type", "getType"),
    reading("test qemu", "Connection.is_secure", "isSecure"),
    reading("test qemu", "Connection.is_encrypted", "isEncrypted"),
    reading("test qemu", "Connection.is_alive", "isAlive"),
    reading("test qemu", "Connection.get_capabilities", "getCapabilities"),
    reading("!test qemu", "Connection.get_domain_capabilities", "getDomainCapabilities"),
    reading(
        "!test qemu", "Connection.get_domain_capabilities", "getDomainCapabilities", *_EMULATOR, 0
    ),
    reading(
        "!test qemu", "Connection.get_storage_pool_capabilities", "getStoragePoolCapabilities", 0
    ),
    reading("test ?qemu", "Connection.get_sysinfo", "getSysinfo", 0),
    reading("test qemu", "Connection.get_max_vcpus", "getMaxVcpus", None),
    reading("test qemu", "Connection.get_max_vcpus", "getMaxVcpus", "qemu"),
    reading(
        "test qemu",
        "Connection.set_identity",
        "setIdentity",
        {"user-name": "root", "unix-user-id": 0, "process-id": 1},
        0,
        theirs=nothing,
    ),
)

_HOST = (
    reading("test qemu", "Connection.get_node_info", "getInfo", ours=_as_the_binding_tells),
    reading("test qemu", "Connection.get_node_cpu_map", "getCPUMap", 0, theirs=_with_numbers),
    reading("test qemu", "Connection.get_node_cpu_stats", "getCPUStats", -1, 0, by=_TIMES),
    reading("test qemu", "Connection.get_node_cpu_stats", "getCPUStats", 0, 0, by=_TIMES),
    reading("test !qemu", "Connection.get_node_cpu_stats", "getCPUStats", 9999, 0),
    reading("!test qemu", "Connection.get_node_memory_stats", "getMemoryStats", -1, 0, by=_USED),
    reading("!test qemu", "Connection.get_node_memory_stats", "getMemoryStats", 0, 0, by=_USED),
    reading("test qemu", "Connection.get_node_security_model", "getSecurityModel"),
    reading("!test !qemu", "Connection.get_node_sev_info", "getSEVInfo", 0),
    reading("!test !qemu", "Connection.node_suspend_for_duration", "suspendForDuration", 0, 1, 0),
    reading("test qemu", "Connection.get_node_free_memory", "getFreeMemory", by=within(512 * _MIB)),
    reading(
        "test qemu",
        "Connection.get_node_cells_free_memory",
        "getCellsFreeMemory",
        0,
        0,
        binding_args=(0, 1),
        by=within(512 * _MIB, "0"),
    ),
    reading("!test !qemu", "Connection.get_node_cells_free_memory", "getCellsFreeMemory", 99, 99),
    reading(
        "!test qemu",
        "Connection.get_node_free_pages",
        "getFreePages",
        [4, 2048],
        0,
        0,
        0,
        binding_args=([4, 2048], 0, 1, 0),
        theirs=_by_cell,
        # Of the small ones.
        by=varying("0/4"),
    ),
    reading(
        "!test !qemu",
        "Connection.get_node_free_pages",
        "getFreePages",
        [7],
        0,
        0,
        0,
        binding_args=([7], 0, 1, 0),
        theirs=_by_cell,
    ),
    reading("!test qemu", "Connection.get_node_memory_parameters", "getMemoryParameters", 0),
    reading(
        "!test qemu",
        "Connection.node_alloc_pages",
        "allocPages",
        {2048: 0},
        0,
        0,
        0,
        binding_args=({2048: 0}, 0, 1, 0),
    ),
    reading(
        "!test !qemu",
        "Connection.node_alloc_pages",
        "allocPages",
        {7: 0},
        0,
        0,
        1,
        binding_args=({7: 0}, 0, 1, 1),
    ),
    reading(
        "qemu",
        "Connection.set_node_memory_parameters",
        "setMemoryParameters",
        # What it is already: it is the machine's.
        {"shm_pages_to_scan": "$pages_to_scan"},
        0,
        theirs=nothing,
    ),
)

_CPUS = (
    reading("!test qemu", "Connection.compare_cpu", "compareCPU", _CPU_XML, 0),
    reading("!test !qemu", "Connection.compare_cpu", "compareCPU", _STALE_CPU_XML, 0),
    reading(
        "!test qemu",
        "Connection.compare_hypervisor_cpu",
        "compareHypervisorCPU",
        *_EMULATOR,
        _CPU_XML,
        0,
    ),
    reading("test qemu", "Connection.baseline_cpu", "baselineCPU", [_CPU_XML, _OTHER_CPU_XML], 0),
    reading("test qemu", "Connection.baseline_cpu", "baselineCPU", [_CPU_XML], 1),
    reading(
        "!test qemu",
        "Connection.baseline_hypervisor_cpu",
        "baselineHypervisorCPU",
        *_EMULATOR,
        [_CPU_XML, _OTHER_CPU_XML],
        0,
    ),
    reading("test qemu", "Connection.get_cpu_model_names", "getCPUModelNames", "x86_64", 0),
    reading("!test !qemu", "Connection.get_cpu_model_names", "getCPUModelNames", "vax", 0),
)

_NATIVE = "qemu-argv"
_TRANSLATED_XML = """<domain type='qemu'><name>t</name>
<uuid>3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c00aa</uuid><memory>1024</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""

_TRANSLATION = (
    reading(
        "!test qemu",
        "Connection.domain_xml_to_native",
        "domainXMLToNative",
        _NATIVE,
        _TRANSLATED_XML,
        0,
    ),
    reading(
        "!test !qemu",
        "Connection.domain_xml_from_native",
        "domainXMLFromNative",
        _NATIVE,
        "-m 1",
        0,
    ),
)

COMPARISONS: tuple[Comparison, ...] = (*_DAEMON, *_HOST, *_CPUS, *_TRANSLATION)
