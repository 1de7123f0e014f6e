"""Lists, counts and lookups of everything a connection has."""

from __future__ import annotations

from typing import Any

from tests.differential.comparison import Comparison, ObjectArgument
from tests.differential.likeness import rising, varying
from tests.differential.writing import reading

__all__ = ["COMPARISONS"]

_NO_UUID = "00000000-0000-4000-8000-000000000000"


def _names(answer: list[Any]) -> list[Any]:
    """The C binding lists names where the documented method lists objects."""
    return [item["name"] if isinstance(item, dict) else item for item in answer]


# What a running domain uses up, its traffic, and what the guest says of its memory.
_MOVING = rising(
    "*/1/cpu.time",
    "*/1/cpu.user",
    "*/1/cpu.system",
    "*/1/cpu.haltpoll.*.time",
    "*/1/vcpu.*.time",
    "*/1/vcpu.*.wait",
    "*/1/vcpu.*.delay",
    "*/1/net.*.?x.*",
    "*/1/block.*.rd.*",
    "*/1/block.*.wr.*",
    "*/1/block.*.fl.*",
    "*/1/balloon.swap_*",
    "*/1/balloon.m*_fault",
    "*/1/balloon.last-update",
) | varying(
    "*/1/balloon.unused",
    "*/1/balloon.available",
    "*/1/balloon.usable",
    "*/1/balloon.disk_caches",
    "*/1/balloon.rss",
)

_DOMAINS = (
    reading("test qemu", "Connection.list_domains", "listAllDomains", binding_args=(1,)),
    reading("test qemu", "Connection.num_of_domains", "numOfDomains"),
    reading("test qemu", "Connection.list_domain_ids", "listDomainsID"),
    reading("test qemu", "Connection.list_defined_domains", "listAllDomains", binding_args=(2,)),
    reading("test qemu", "Connection.num_of_defined_domains", "numOfDefinedDomains"),
    reading("test qemu", "Connection.list_defined_domain_names", "listDefinedDomains"),
    *(
        reading("test qemu", "Connection.list_all_domains", "listAllDomains", flags)
        for flags in (0, 1, 2, 4, 8, 16, 64, 512, 1024)
    ),
    reading("!test !qemu", "Connection.list_all_domains", "listAllDomains", 1 << 30),
    reading("test qemu", "Connection.get_domain_by_name", "lookupByName", "$domain"),
    reading("!test !qemu", "Connection.get_domain_by_name", "lookupByName", "n\u00f6ne"),
    reading("test qemu", "Connection.get_domain_by_id", "lookupByID", 1),
    reading("!test !qemu", "Connection.get_domain_by_id", "lookupByID", 9999),
    reading("test qemu", "Connection.get_domain_by_uuid", "lookupByUUIDString", "$uuid"),
    reading("!test !qemu", "Connection.get_domain_by_uuid", "lookupByUUIDString", _NO_UUID),
    reading("test qemu", "Connection.get_all_domain_stats", "getAllDomainStats", 1),
    reading("test qemu", "Connection.get_all_domain_stats", "getAllDomainStats", 0, by=_MOVING),
    reading(
        "!test !qemu",
        "Connection.get_all_domain_stats",
        "getAllDomainStats",
        1 << 30,
        None,
        1 << 31,
        binding_args=(1 << 30, 1 << 31),
    ),
    reading(
        "test qemu",
        "Connection.get_all_domain_stats",
        "domainListGetStats",
        1,
        [ObjectArgument("domain"), ObjectArgument("idle")],
        binding_args=([ObjectArgument("domain"), ObjectArgument("idle")], 1, 0),
    ),
)

_NETWORKS = (
    reading("test qemu", "Connection.list_networks", "listAllNetworks", binding_args=(2,)),
    reading("test qemu", "Connection.num_of_networks", "numOfNetworks"),
    reading("test qemu", "Connection.list_network_names", "listNetworks"),
    reading("test qemu", "Connection.list_defined_networks", "listAllNetworks", binding_args=(1,)),
    reading("test qemu", "Connection.num_of_defined_networks", "numOfDefinedNetworks"),
    reading("test qemu", "Connection.list_defined_network_names", "listDefinedNetworks"),
    reading("test qemu", "Connection.list_all_networks", "listAllNetworks", 0),
    reading("test qemu", "Connection.list_all_networks", "listAllNetworks", 16),
    reading("test qemu", "Connection.get_network_by_name", "networkLookupByName", "$network"),
    reading("!test !qemu", "Connection.get_network_by_name", "networkLookupByName", "none"),
    reading("!test !qemu", "Connection.get_network_by_uuid", "networkLookupByUUIDString", _NO_UUID),
    reading(
        "test qemu", "Connection.get_network_by_uuid", "networkLookupByUUIDString", "$network_uuid"
    ),
)

_STORAGE = (
    reading("test qemu", "Connection.list_storage_pools", "listAllStoragePools", binding_args=(2,)),
    reading("test qemu", "Connection.num_of_storage_pools", "numOfStoragePools"),
    reading("test qemu", "Connection.list_storage_pool_names", "listStoragePools"),
    reading(
        "test qemu",
        "Connection.list_defined_storage_pools",
        "listAllStoragePools",
        binding_args=(1,),
    ),
    reading("test qemu", "Connection.num_of_defined_storage_pools", "numOfDefinedStoragePools"),
    reading("test qemu", "Connection.list_defined_storage_pool_names", "listDefinedStoragePools"),
    reading("test qemu", "Connection.list_all_storage_pools", "listAllStoragePools", 0),
    reading("test qemu", "Connection.get_storage_pool_by_name", "storagePoolLookupByName", "$pool"),
    reading("!test !qemu", "Connection.get_storage_pool_by_name", "storagePoolLookupByName", "x"),
    reading(
        "!test !qemu",
        "Connection.get_storage_pool_by_uuid",
        "storagePoolLookupByUUIDString",
        _NO_UUID,
    ),
    reading(
        "test qemu",
        "Connection.get_storage_pool_by_uuid",
        "storagePoolLookupByUUIDString",
        "$pool_uuid",
    ),
    reading(
        "test qemu",
        "Connection.get_storage_pool_by_volume",
        "storagePoolLookupByName",
        ObjectArgument("volume"),
        binding_args=("$pool",),
    ),
    reading(
        "!test qemu",
        "Connection.get_storage_pool_by_target_path",
        "storagePoolLookupByTargetPath",
        "$pool_path",
    ),
    reading(
        "test ?qemu",
        "Connection.find_storage_pool_sources",
        "findStoragePoolSources",
        "logical",
        None,
        0,
    ),
    reading(
        "test !qemu",
        "Connection.find_storage_pool_sources",
        "findStoragePoolSources",
        "netfs",
        "<source><host name='localhost'/></source>",
        0,
    ),
    reading(
        "test qemu",
        "Connection.get_storage_volume_by_path",
        "storageVolLookupByPath",
        "$volume_path",
    ),
    reading(
        "!test !qemu", "Connection.get_storage_volume_by_path", "storageVolLookupByPath", "/none"
    ),
    reading(
        "test qemu", "Connection.get_storage_volume_by_key", "storageVolLookupByKey", "$volume_path"
    ),
)

_DEVICES = (
    reading("test qemu", "Connection.list_node_devices", "listAllDevices", binding_args=(0,)),
    reading("test qemu", "Connection.num_of_node_devices", "numOfDevices", None, 0),
    reading("test qemu", "Connection.num_of_node_devices", "numOfDevices", "net", 0),
    reading(
        "test qemu",
        "Connection.list_node_device_names",
        "listDevices",
        None,
        65536,
        0,
        binding_args=(None, 0),
    ),
    reading(
        "test qemu",
        "Connection.list_node_devices",
        "listDevices",
        "system",
        binding_args=("system", 0),
        both=_names,
    ),
    reading("test qemu", "Connection.list_all_node_devices", "listAllDevices", 0),
    reading("test qemu", "Connection.list_all_node_devices", "listAllDevices", 16),
    reading(
        "test qemu", "Connection.get_node_device_by_name", "nodeDeviceLookupByName", "computer"
    ),
    reading("!test !qemu", "Connection.get_node_device_by_name", "nodeDeviceLookupByName", "none"),
    reading(
        "!test !qemu",
        "Connection.get_node_device_scsihost_by_wwn",
        "nodeDeviceLookupSCSIHostByWWN",
        "2000000012341234",
        "1000000012341234",
        0,
    ),
)

_INTERFACES = (
    reading("test qemu", "Connection.list_interfaces", "listAllInterfaces", binding_args=(2,)),
    reading("test qemu", "Connection.num_of_interfaces", "numOfInterfaces"),
    reading("test qemu", "Connection.list_interface_names", "listInterfaces"),
    # The driver for the host's interfaces takes some for inactive that it does not call defined.
    reading(
        "test qemu", "Connection.list_defined_interfaces", "listDefinedInterfaces", both=_names
    ),
    reading("test qemu", "Connection.num_of_defined_interfaces", "numOfDefinedInterfaces"),
    reading("test qemu", "Connection.list_defined_interface_names", "listDefinedInterfaces"),
    reading("test qemu", "Connection.list_all_interfaces", "listAllInterfaces", 0),
    reading("test qemu", "Connection.get_interface_by_name", "interfaceLookupByName", "$interface"),
    reading("!test !qemu", "Connection.get_interface_by_name", "interfaceLookupByName", "none"),
    reading(
        "test qemu",
        "Connection.get_interface_by_mac",
        "interfaceLookupByMACString",
        "$interface_mac",
    ),
    reading(
        "!test !qemu",
        "Connection.get_interface_by_mac",
        "interfaceLookupByMACString",
        "00:00:00:00:00:01",
    ),
)

_SECRETS = (
    reading("qemu", "Connection.list_secrets", "listAllSecrets", binding_args=(0,)),
    reading("!test qemu", "Connection.num_of_secrets", "numOfSecrets"),
    reading("qemu", "Connection.list_secret_uuids", "listSecrets"),
    reading("!test qemu", "Connection.list_all_secrets", "listAllSecrets", 0),
    reading("!test qemu", "Connection.get_secret_by_uuid", "secretLookupByUUIDString", "$secret"),
    reading("!test !qemu", "Connection.get_secret_by_uuid", "secretLookupByUUIDString", _NO_UUID),
    reading(
        "!test qemu", "Connection.get_secret_by_usage", "secretLookupByUsage", 1, "/lab/secret"
    ),
    reading("!test !qemu", "Connection.get_secret_by_usage", "secretLookupByUsage", 1, "/none"),
)

_FILTERS = (
    reading("qemu", "Connection.list_nwfilters", "listAllNWFilters", binding_args=(0,)),
    reading("!test qemu", "Connection.num_of_nwfilters", "numOfNWFilters"),
    reading("qemu", "Connection.list_nwfilter_names", "listNWFilters"),
    reading("!test qemu", "Connection.list_all_nwfilters", "listAllNWFilters", 0),
    reading("!test qemu", "Connection.list_all_nwfilter_bindings", "listAllNWFilterBindings", 0),
    reading("!test qemu", "Connection.get_nwfilter_by_name", "nwfilterLookupByName", "$nwfilter"),
    reading(
        "!test !qemu", "Connection.get_nwfilter_by_uuid", "nwfilterLookupByUUIDString", _NO_UUID
    ),
    reading(
        "!test qemu",
        "Connection.get_nwfilter_by_uuid",
        "nwfilterLookupByUUIDString",
        "$nwfilter_uuid",
    ),
    reading(
        "!test qemu",
        "Connection.get_nwfilter_binding_by_port_dev",
        "nwfilterBindingLookupByPortDev",
        "$port_dev",
    ),
    reading(
        "!test !qemu",
        "Connection.get_nwfilter_binding_by_port_dev",
        "nwfilterBindingLookupByPortDev",
        "none",
    ),
)

COMPARISONS: tuple[Comparison, ...] = (
    *_DOMAINS,
    *_NETWORKS,
    *_STORAGE,
    *_DEVICES,
    *_INTERFACES,
    *_SECRETS,
    *_FILTERS,
)
