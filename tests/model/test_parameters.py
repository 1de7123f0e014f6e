"""The tables of parameters' types have the names that libvirt's headers have, and no others."""

from __future__ import annotations

import pytest

from virtproto import constants
from virtproto.model.parameters import KNOWN

# How the constants with a table's names begin.
PREFIXES = {
    "SCHEDULER": "DOMAIN_SCHEDULER_",
    "MEMORY": "DOMAIN_MEMORY_",
    "NUMA": "DOMAIN_NUMA_",
    "IOTHREAD": "DOMAIN_IOTHREAD_",
    "PERF": "PERF_PARAM_",
    "BLKIO": "DOMAIN_BLKIO_",
    "BLOCK_IOTUNE": "DOMAIN_BLOCK_IOTUNE_",
    "BLOCK_COPY": "DOMAIN_BLOCK_COPY_",
    "BANDWIDTH": "DOMAIN_BANDWIDTH_",
    "ANNOUNCE_INTERFACE": "DOMAIN_ANNOUNCE_INTERFACE_",
    "LAUNCH_SECURITY_STATE": "DOMAIN_LAUNCH_SECURITY_SEV_SECRET",
    "NETWORK_PORT": "NETWORK_PORT_BANDWIDTH_",
    "ADMIN_THREAD_POOL": "THREADPOOL_",
    "ADMIN_CLIENT_LIMITS": "SERVER_CLIENTS_",
    "NODE_MEMORY": "NODE_MEMORY_SHARED_",
    "IDENTITY": "CONNECT_IDENTITY_",
    "SAVE": "DOMAIN_SAVE_PARAM_",
    "MIGRATION": "MIGRATE_PARAM_",
}
# Constants that begin so, and are no names: values, or what a host reports and nobody sets.
NO_NAMES = {
    "DOMAIN_MEMORY_PARAM_UNLIMITED",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_BZIP2",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_GZIP",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_LZOP",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_RAW",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_SPARSE",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_XZ",
    "DOMAIN_SAVE_PARAM_IMAGE_FORMAT_ZSTD",
    "NODE_MEMORY_SHARED_FULL_SCANS",
    "NODE_MEMORY_SHARED_PAGES_SHARED",
    "NODE_MEMORY_SHARED_PAGES_SHARING",
    "NODE_MEMORY_SHARED_PAGES_UNSHARED",
    "NODE_MEMORY_SHARED_PAGES_VOLATILE",
}


def test_every_table_is_held_to_its_constants() -> None:
    assert PREFIXES.keys() == KNOWN.keys()
    assert set(dir(constants)) >= NO_NAMES


@pytest.mark.parametrize("table", PREFIXES)
def test_a_table_has_the_documented_names(table: str) -> None:
    found = {
        getattr(constants, name)
        for name in dir(constants)
        if name.startswith(PREFIXES[table]) and name not in NO_NAMES
    }
    assert KNOWN[table].keys() == found
