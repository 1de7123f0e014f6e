"""What a domain tells about itself, without changing."""

from __future__ import annotations

from tests.differential import shapes
from tests.differential.comparison import Comparison
from tests.differential.comparisons.domain_forms import (
    below_8,
    by_disk,
    cpu_numbers,
    documented_names,
    iothreads,
    lists_of_cpus,
    pinned,
    time_fields,
    vcpus,
    whole_seconds,
)
from tests.differential.likeness import rising, varying, within
from tests.differential.writing import reading

__all__ = ["COMPARISONS"]

# Flags and values of libvirt-domain.h.
LEASE, AGENT = 1, 2
LEASE_ADDRESSES, AGENT_ADDRESSES, ARP_ADDRESSES = 0, 1, 2
LIVE, CONFIG, MAXIMUM, GUEST = 1, 2, 4, 8
DESCRIPTION, TITLE, ELEMENT = 0, 1, 2
XML_INACTIVE, XML_MIGRATABLE = 2, 8
PHYSICAL = 2

_BALLOON = rising("swap_in", "swap_out", "major_fault", "minor_fault", "last_update") | varying(
    "unused", "available", "usable", "disk_caches", "rss"
)

_IDENTITY = (
    reading("test qemu", "Domain.get_id", "ID"),
    reading("test qemu", "Domain.get_id", "ID", on="idle"),
    reading("test qemu", "Domain.get_uuid", "UUID"),
    reading("test qemu", "Domain.get_uuid_string", "UUIDString"),
    reading("test qemu", "Domain.get_name", "name"),
    reading("test qemu", "Domain.get_os_type", "OSType"),
    reading("test qemu", "Domain.get_hostname", "hostname", LEASE_ADDRESSES),
    reading("!test !qemu", "Domain.get_hostname", "hostname", LEASE),
    reading("!test qemu", "Domain.get_hostname", "hostname", AGENT),
    reading("!test !qemu", "Domain.get_hostname", "hostname", AGENT, on="idle"),
    reading("!test !qemu", "Domain.get_metadata", "metadata", DESCRIPTION, None, 0),
    reading("!test !qemu", "Domain.get_metadata", "metadata", ELEMENT, "urn:none", 0),
    reading("test !qemu", "Domain.get_metadata", "metadata", TITLE, None, CONFIG, on="idle"),
    reading("test qemu", "Domain.get_messages", "messages", 0),
    reading("test qemu", "Domain.get_messages", "messages", 1),
)

_STATE = (
    reading("test qemu", "Domain.is_active", "isActive"),
    reading("test qemu", "Domain.is_active", "isActive", on="idle"),
    reading("test qemu", "Domain.is_persistent", "isPersistent"),
    reading("test qemu", "Domain.is_updated", "isUpdated"),
    reading("test qemu", "Domain.get_info", "info", by=rising("4")),
    reading("test qemu", "Domain.get_info", "info", on="idle", by=rising("4")),
    reading("test qemu", "Domain.get_state", "state"),
    reading("test qemu", "Domain.get_state", "state", on="idle"),
    reading("test qemu", "Domain.get_control_info", "controlInfo", 0),
    reading("!test !qemu", "Domain.get_control_info", "controlInfo", 0, on="idle"),
    reading("test qemu", "Domain.get_disk_errors", "diskErrors", 0, theirs=by_disk),
    reading(
        "test qemu",
        "Domain.get_time",
        "getTime",
        0,
        theirs=time_fields,
        both=whole_seconds,
        by=within(30),
    ),
    reading("!test !qemu", "Domain.get_time", "getTime", 0, on="idle"),
    reading("test qemu", "Domain.get_autostart", "autostart"),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", 0),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", XML_INACTIVE),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", XML_MIGRATABLE),
    reading("test qemu", "Domain.get_xml_description", "XMLDesc", on="idle"),
    reading("!test !qemu", "Domain.get_xml_description", "XMLDesc", 1 << 20),
)

_MEMORY = (
    reading("test qemu", "Domain.get_max_memory", "maxMemory"),
    reading("test qemu", "Domain.get_max_memory", "maxMemory", on="idle"),
    reading(
        "test qemu",
        "Domain.memory_stats",
        "memoryStats",
        theirs=documented_names,
        by=_BALLOON,
    ),
    reading("!test !qemu", "Domain.memory_stats", "memoryStats", on="idle"),
    reading("test qemu", "Domain.memory_peek", "memoryPeek", 0xFFFF0, 16, PHYSICAL),
    reading("!test !qemu", "Domain.memory_peek", "memoryPeek", 0, 16, 3),
    reading("test qemu", "Domain.get_memory_parameters", "memoryParameters", 0),
    reading("test qemu", "Domain.get_memory_parameters", "memoryParameters", CONFIG),
    reading("test qemu", "Domain.get_memory_parameters", "memoryParameters", CONFIG, on="idle"),
    reading("test qemu", "Domain.get_numa_parameters", "numaParameters", 0),
    reading("test qemu", "Domain.get_numa_parameters", "numaParameters", CONFIG, on="idle"),
)

_VCPUS = (
    reading("test qemu", "Domain.get_max_vcpus", "maxVcpus"),
    reading("test qemu", "Domain.get_vcpus", "vcpusFlags", 0),
    reading("test qemu", "Domain.get_vcpus", "vcpusFlags", LIVE),
    reading("test qemu", "Domain.get_vcpus", "vcpusFlags", CONFIG),
    reading("test qemu", "Domain.get_vcpus", "vcpusFlags", LIVE | MAXIMUM),
    reading("!test qemu", "Domain.get_vcpus", "vcpusFlags", GUEST),
    reading("!test !qemu", "Domain.get_vcpus", "vcpusFlags", LIVE, on="idle"),
    reading("test qemu", "Domain.get_vcpus", "vcpusFlags", CONFIG, on="idle"),
    reading("!test qemu", "Domain.get_guest_vcpus", "guestVcpus", 0, theirs=lists_of_cpus),
    reading(
        "test qemu",
        "Domain.get_vcpu_info",
        "vcpus",
        binding_args=(),
        theirs=vcpus,
        both=below_8,
        # What it used, and the CPU that it is on.
        by=rising("*/2") | varying("*/3"),
    ),
    *(
        reading(
            "test qemu",
            "Domain.get_vcpu_info",
            "vcpuPinInfo",
            *flags,
            binding_args=flags or (0,),
            on="idle",
            theirs=pinned,
            both=below_8,
        )
        for flags in ((), (CONFIG,))
    ),
    *(
        reading(
            "test qemu",
            "Domain.get_emulator_pin_info",
            "emulatorPinInfo",
            flags,
            on=on,
            theirs=cpu_numbers,
            both=below_8,
        )
        for flags, on in ((0, "domain"), (CONFIG, "idle"))
    ),
    reading("test qemu", "Domain.get_iothread_info", "ioThreadInfo", LIVE, theirs=iothreads),
    reading("test qemu", "Domain.get_iothread_info", "ioThreadInfo", CONFIG, theirs=iothreads),
    reading(
        "test qemu",
        "Domain.get_cpu_stats",
        "getCPUStats",
        -1,
        1,
        binding_args=(True, 0),
        by=rising("0/cpu_time", "0/user_time", "0/system_time"),
    ),
    reading(
        # A host with control groups of the second kind tells nothing of single CPUs.
        "test ?qemu",
        "Domain.get_cpu_stats",
        "getCPUStats",
        0,
        16,
        binding_args=(False, 0),
        by=rising("*/cpu_time", "*/vcpu_time"),
    ),
    reading("test qemu", "Domain.get_perf_events", "perfEvents", 0),
    reading("test qemu", "Domain.get_perf_events", "perfEvents", CONFIG, on="idle"),
    reading("test qemu", "Domain.get_scheduler_type", "schedulerType", theirs=lambda pair: pair[0]),
    reading("test qemu", "Domain.get_scheduler_parameters", "schedulerParameters"),
    reading("!test qemu", "Domain.get_scheduler_parameters", "schedulerParametersFlags", LIVE),
    reading("test qemu", "Domain.get_scheduler_parameters", "schedulerParameters", on="idle"),
    reading(
        "!test qemu",
        "Domain.get_scheduler_parameters",
        "schedulerParametersFlags",
        CONFIG,
        on="idle",
    ),
)

_DEVICES = (
    reading("test qemu", "Domain.get_block_info", "blockInfo", "$disk", 0),
    reading("!test !qemu", "Domain.get_block_info", "blockInfo", "vdz", 0),
    reading("!test !qemu", "Domain.block_peek", "blockPeek", "$disk", 0, 16, 0),
    reading(
        "qemu",
        "Domain.block_stats",
        "blockStatsFlags",
        "$disk",
        theirs=shapes.block_operations,
        by=rising("rd_*", "wr_*", "flush_*"),
    ),
    reading(
        "test",
        "Domain.block_stats",
        "blockStats",
        "$disk",
        theirs=shapes.fixed_block_stats,
        # The test driver's clock, divided by this and that.
        by=rising("rd_req", "rd_bytes", "wr_req", "wr_bytes", "errs"),
    ),
    reading("!test !qemu", "Domain.block_stats", "blockStats", "vdz"),
    reading("test qemu", "Domain.get_blkio_parameters", "blkioParameters", 0),
    reading("test qemu", "Domain.get_blkio_parameters", "blkioParameters", CONFIG, on="idle"),
    reading("test qemu", "Domain.get_block_iotune", "blockIoTune", "$disk", 0),
    reading("!test qemu", "Domain.get_block_iotune", "blockIoTune", "vda", CONFIG, on="idle"),
    reading(
        "test qemu",
        "Domain.interface_stats",
        "interfaceStats",
        "$nic",
        # Of received and of sent: bytes, packets, errors, dropped packets.
        by=rising("0", "1", "2", "3", "4", "5", "6", "7"),
    ),
    reading("!test !qemu", "Domain.interface_stats", "interfaceStats", "nic9"),
    reading("test qemu", "Domain.get_interface_parameters", "interfaceParameters", "$nic", 0),
    reading(
        "test qemu",
        "Domain.get_interface_addresses",
        "interfaceAddresses",
        LEASE_ADDRESSES,
        0,
        ours=shapes.interface_addresses,
    ),
    reading(
        "test qemu",
        "Domain.get_interface_addresses",
        "interfaceAddresses",
        AGENT_ADDRESSES,
        0,
        ours=shapes.interface_addresses,
    ),
    reading(
        "test !qemu",
        "Domain.get_interface_addresses",
        "interfaceAddresses",
        ARP_ADDRESSES,
        0,
        ours=shapes.interface_addresses,
    ),
    reading(
        "!test !qemu",
        "Domain.get_interface_addresses",
        "interfaceAddresses",
        LEASE_ADDRESSES,
        0,
        on="idle",
    ),
)

_JOBS = (
    reading(
        "!test qemu", "Domain.get_block_job_info", "blockJobInfo", "$disk", 0, ours=shapes.block_job
    ),
    reading("!test qemu", "Domain.get_job_info", "jobInfo"),
    reading("!test !qemu", "Domain.get_job_info", "jobInfo", on="idle"),
    reading("!test qemu", "Domain.get_job_stats", "jobStats", 0, ours=shapes.job_stats),
    reading("!test qemu", "Domain.get_job_stats", "jobStats", 1, ours=shapes.job_stats),
    reading("!test qemu", "Domain.migrate_get_max_downtime", "migrateGetMaxDowntime", 0),
    reading("!test qemu", "Domain.migrate_get_max_speed", "migrateGetMaxSpeed", 0),
    reading("!test qemu", "Domain.migrate_get_compression_cache", "migrateGetCompressionCache", 0),
    reading("!test !qemu", "Domain.migrate_start_post_copy", "migrateStartPostCopy", 0),
    reading("test qemu", "Domain.has_managed_save_image", "hasManagedSaveImage", 0),
    reading("!test !qemu", "Domain.backup_get_xml_description", "backupGetXMLDesc", 0),
    reading("!test !qemu", "Domain.abort_job", "abortJob", 0, binding_args=()),
)

_OTHERS = (
    reading("!test !qemu", "Domain.lxc_open_namespace", "libvirt_lxc.lxcOpenNamespace", 0),
    reading("qemu", "DomainSnapshot.get_domain", "getDomain"),
    reading("qemu", "NetworkPort.get_network", "network"),
)

_SECURITY = (
    reading("test qemu", "Domain.get_security_label", "securityLabel"),
    reading("qemu", "Domain.get_security_label_list", "securityLabelList"),
    reading("!test qemu", "Domain.get_launch_security_info", "launchSecurityInfo", 0),
)

_AGENT = (
    reading("!test qemu", "Domain.get_guest_info", "guestInfo", 0, 0),
    reading("!test qemu", "Domain.get_guest_info", "guestInfo", 2, 0),
    reading("!test !qemu", "Domain.get_guest_info", "guestInfo", 0, 0, on="idle"),
    reading("test qemu", "Domain.get_fs_info", "fsInfo", 0),
    reading("!test qemu", "Domain.authorized_ssh_keys_get", "authorizedSSHKeysGet", "root", 0),
    reading("!test !qemu", "Domain.authorized_ssh_keys_get", "authorizedSSHKeysGet", "nobody", 0),
)

COMPARISONS: tuple[Comparison, ...] = (
    *_IDENTITY,
    *_STATE,
    *_MEMORY,
    *_VCPUS,
    *_DEVICES,
    *_JOBS,
    *_SECURITY,
    *_AGENT,
    *_OTHERS,
)
