"""Which type each documented typed parameter has, by the set of parameters it belongs to.

A Python ``int`` says nothing of the five number types of the wire; these tables do. Names are the
daemon's own. What is not listed here is sent as the daemon's own reading of the parameter asks.
"""

from __future__ import annotations

from virtproto.xdr.typedparams import BOOLEAN, INT, LLONG, STRING, UINT, ULLONG

__all__ = ["KNOWN"]

# Of domains' interfaces and of networks' ports alike.
_BANDWIDTH = {
    "inbound.average": UINT,
    "inbound.peak": UINT,
    "inbound.burst": UINT,
    "inbound.floor": UINT,
    "outbound.average": UINT,
    "outbound.peak": UINT,
    "outbound.burst": UINT,
}

KNOWN: dict[str, dict[str, int]] = {
    # Scheduling of a domain on its host (virDomainSetSchedulerParameters).
    "SCHEDULER": {
        "cpu_shares": ULLONG,
        "vcpu_period": ULLONG,
        "vcpu_quota": LLONG,
        "global_period": ULLONG,
        "global_quota": LLONG,
        "emulator_period": ULLONG,
        "emulator_quota": LLONG,
        "iothread_period": ULLONG,
        "iothread_quota": LLONG,
        "weight": UINT,
        "cap": UINT,
        "reservation": LLONG,
        "limit": LLONG,
        "shares": INT,
    },
    # Limits on the memory that a domain takes on its host (virDomainSetMemoryParameters).
    "MEMORY": {
        "hard_limit": ULLONG,
        "soft_limit": ULLONG,
        "min_guarantee": ULLONG,
        "swap_hard_limit": ULLONG,
    },
    # Where a domain's memory comes from (virDomainSetNumaParameters).
    "NUMA": {
        "numa_nodeset": STRING,
        "numa_mode": INT,
    },
    # How an I/O thread polls and works (virDomainSetIOThreadParams).
    "IOTHREAD": {
        "poll_max_ns": ULLONG,
        "poll_grow": UINT,
        "poll_shrink": UINT,
        "poll_weight": UINT,
        "thread_pool_min": INT,
        "thread_pool_max": INT,
    },
    # Which events of the host's CPUs are counted (virDomainSetPerfEvents).
    "PERF": dict.fromkeys(
        (
            "cmt",
            "mbmt",
            "mbml",
            "cache_misses",
            "cache_references",
            "instructions",
            "cpu_cycles",
            "branch_instructions",
            "branch_misses",
            "bus_cycles",
            "stalled_cycles_frontend",
            "stalled_cycles_backend",
            "ref_cpu_cycles",
            "cpu_clock",
            "task_clock",
            "page_faults",
            "context_switches",
            "cpu_migrations",
            "page_faults_min",
            "page_faults_maj",
            "alignment_faults",
            "emulation_faults",
        ),
        BOOLEAN,
    ),
    # A domain's share of the host's disks (virDomainSetBlkioParameters).
    "BLKIO": {
        "weight": UINT,
        "device_weight": STRING,
        "device_read_iops_sec": STRING,
        "device_write_iops_sec": STRING,
        "device_read_bytes_sec": STRING,
        "device_write_bytes_sec": STRING,
    },
    # How a disk is throttled (virDomainSetBlockIoTune, virDomainSetThrottleGroup).
    "BLOCK_IOTUNE": {
        "total_bytes_sec": ULLONG,
        "read_bytes_sec": ULLONG,
        "write_bytes_sec": ULLONG,
        "total_iops_sec": ULLONG,
        "read_iops_sec": ULLONG,
        "write_iops_sec": ULLONG,
        "total_bytes_sec_max": ULLONG,
        "read_bytes_sec_max": ULLONG,
        "write_bytes_sec_max": ULLONG,
        "total_iops_sec_max": ULLONG,
        "read_iops_sec_max": ULLONG,
        "write_iops_sec_max": ULLONG,
        "size_iops_sec": ULLONG,
        "group_name": STRING,
        "total_bytes_sec_max_length": ULLONG,
        "read_bytes_sec_max_length": ULLONG,
        "write_bytes_sec_max_length": ULLONG,
        "total_iops_sec_max_length": ULLONG,
        "read_iops_sec_max_length": ULLONG,
        "write_iops_sec_max_length": ULLONG,
    },
    # How a disk is copied (virDomainBlockCopy).
    "BLOCK_COPY": {"bandwidth": ULLONG, "granularity": UINT, "buf-size": ULLONG},
    # What a domain's network interface may use (virDomainSetInterfaceParameters).
    "BANDWIDTH": _BANDWIDTH,
    # How often an interface announces itself (virDomainAnnounceInterface).
    "ANNOUNCE_INTERFACE": {"initial": UINT, "max": UINT, "rounds": UINT, "step": UINT},
    # The secret of a confidential guest (virDomainSetLaunchSecurityState).
    "LAUNCH_SECURITY_STATE": {
        "sev-secret-header": STRING,
        "sev-secret": STRING,
        "sev-secret-set-address": ULLONG,
    },
    # Bandwidth of what is plugged into a network (virNetworkPortSetParameters).
    "NETWORK_PORT": _BANDWIDTH,
    # Worker threads of a daemon's server (virAdmServerSetThreadPoolParameters).
    "ADMIN_THREAD_POOL": {
        "minWorkers": UINT,
        "maxWorkers": UINT,
        "prioWorkers": UINT,
        "freeWorkers": UINT,
        "nWorkers": UINT,
        "jobQueueDepth": UINT,
    },
    # How many clients a daemon's server takes (virAdmServerSetClientLimits).
    "ADMIN_CLIENT_LIMITS": {
        "nclients_max": UINT,
        "nclients": UINT,
        "nclients_unauth_max": UINT,
        "nclients_unauth": UINT,
    },
    # How the host merges equal pages of memory (virNodeSetMemoryParameters).
    "NODE_MEMORY": {
        "shm_pages_to_scan": UINT,
        "shm_sleep_millisecs": UINT,
        "shm_merge_across_nodes": UINT,
    },
    # On whose behalf calls are made (virConnectSetIdentity).
    "IDENTITY": {
        "user-name": STRING,
        "unix-user-id": ULLONG,
        "group-name": STRING,
        "unix-group-id": ULLONG,
        "process-id": LLONG,
        "process-time": ULLONG,
        "sasl-user-name": STRING,
        "x509-distinguished-name": STRING,
        "selinux-context": STRING,
    },
    # Saving a domain to a file and restoring it (virDomainSaveParams, virDomainRestoreParams).
    "SAVE": {
        "file": STRING,
        "dxml": STRING,
        "image_format": STRING,
        "parallel.channels": INT,
    },
    # What a migration is asked to do (VIR_MIGRATE_PARAM_*); of migrate_disks and compression there
    # may be several.
    "MIGRATION": {
        "migrate_uri": STRING,
        "destination_name": STRING,
        "destination_xml": STRING,
        "persistent_xml": STRING,
        "bandwidth": ULLONG,
        "bandwidth.postcopy": ULLONG,
        "bandwidth.avail.switchover": ULLONG,
        "graphics_uri": STRING,
        "listen_address": STRING,
        "migrate_disks": STRING,
        "migrate_disks_detect_zeroes": STRING,
        "migrate_disks_target_zero": STRING,
        "disks_port": INT,
        "disks_uri": STRING,
        "compression": STRING,
        "compression.mt.level": INT,
        "compression.mt.threads": INT,
        "compression.mt.dthreads": INT,
        "compression.xbzrle.cache": ULLONG,
        "compression.zlib.level": INT,
        "compression.zstd.level": INT,
        "auto_converge.initial": INT,
        "auto_converge.increment": INT,
        "parallel.connections": INT,
        "tls.destination": STRING,
    },
}
