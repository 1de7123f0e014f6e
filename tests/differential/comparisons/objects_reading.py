"""What networks, pools, volumes, devices, interfaces, secrets and filters tell about themselves."""

from __future__ import annotations

from typing import Any

from tests.differential.comparison import Address, Comparison, StreamArgument
from tests.differential.writing import reading

__all__ = ["COMPARISONS"]

_NET_DEVICE = Address(
    (("nodeDeviceLookupByName", "$net_device"),), (("get_node_device_by_name", "$net_device"),)
)


def _with_uuid(stages: str, kind: str) -> tuple[Comparison, ...]:
    return (
        reading(stages, f"{kind}.get_uuid", "UUID"),
        reading(stages, f"{kind}.get_uuid_string", "UUIDString"),
    )


def _named(stages: str, kind: str) -> tuple[Comparison, ...]:
    return (*_with_uuid(stages, kind), reading(stages, f"{kind}.get_name", "name"))


def _described(stages: str, kind: str) -> tuple[Comparison, ...]:
    described = f"{kind}.get_xml_description"
    refused = " ".join(f"!{word.lstrip('?!')}" for word in stages.split())
    return (
        reading(stages, described, "XMLDesc", 0),
        reading(refused, described, "XMLDesc", 1 << 20),
    )


def _stored(stages: str, kind: str) -> tuple[Comparison, ...]:
    return (
        reading(stages, f"{kind}.is_active", "isActive"),
        reading(stages, f"{kind}.is_persistent", "isPersistent"),
        reading(stages, f"{kind}.get_autostart", "autostart"),
    )


def _by_name(answer: Any) -> Any:
    return sorted(answer, key=lambda item: str(item))


_LEASE = ("iface", "expirytime", "type", "mac", "iaid", "ipaddr", "prefix", "hostname", "clientid")


def _leases(mac: str | None) -> Comparison:
    return reading(
        "!test qemu",
        "Network.get_dhcp_leases",
        "DHCPLeases",
        mac,
        0,
        theirs=lambda leases: [[lease[name] for name in _LEASE] for lease in leases],
    )


_NETWORK = (
    *_named("test qemu", "Network"),
    *_described("test qemu", "Network"),
    *_stored("test qemu", "Network"),
    reading("test qemu", "Network.get_bridge_name", "bridgeName"),
    _leases(None),
    _leases("$mac"),
    _leases("52:54:00:00:00:99"),
    reading("!test qemu", "Network.list_all_ports", "listAllPorts", 0),
    reading("!test qemu", "Network.get_port_by_uuid", "portLookupByUUIDString", "$port"),
    *_with_uuid("qemu", "NetworkPort"),
    reading("qemu", "NetworkPort.get_xml_description", "XMLDesc", 0),
    reading("qemu", "NetworkPort.get_parameters", "parameters", 0),
)

_STORAGE = (
    *_named("test qemu", "StoragePool"),
    *_described("test qemu", "StoragePool"),
    *_stored("test qemu", "StoragePool"),
    reading("test qemu", "StoragePool.get_info", "info"),
    reading("test qemu", "StoragePool.num_of_storage_volumes", "numOfVolumes"),
    reading(
        "test qemu", "StoragePool.list_storage_vol_names", "listVolumes", 1024, binding_args=()
    ),
    reading("test qemu", "StoragePool.list_volumes", "listAllVolumes", both=_by_name),
    reading("test qemu", "StoragePool.list_all_volumes", "listAllVolumes", 0),
    reading("test qemu", "StoragePool.get_volume_by_name", "storageVolLookupByName", "$volume"),
    reading("!test !qemu", "StoragePool.get_volume_by_name", "storageVolLookupByName", "none"),
    reading("test qemu", "StorageVol.get_name", "name"),
    reading("test qemu", "StorageVol.get_key", "key"),
    reading("test qemu", "StorageVol.get_path", "path"),
    *_described("test qemu", "StorageVol"),
    reading("test qemu", "StorageVol.get_info", "info", binding_args=()),
    reading("!test qemu", "StorageVol.get_info", "infoFlags", 1),
    reading(
        "!test qemu",
        "StorageVol.download",
        "download",
        StreamArgument(receive=-1),
        0,
        1024,
        0,
        # What the method itself returns says nothing on either side.
        both=lambda answer: answer[1:],
    ),
)

_DEVICES = (
    reading("test qemu", "NodeDevice.get_name", "name"),
    reading("test qemu", "NodeDevice.get_parent", "parent"),
    reading("test qemu", "NodeDevice.get_parent", "parent", on=_NET_DEVICE),
    *_described("test qemu", "NodeDevice"),
    reading("test qemu", "NodeDevice.get_xml_description", "XMLDesc", 0, on=_NET_DEVICE),
    reading("test qemu", "NodeDevice.list_capabilities", "listCaps"),
    reading("test qemu", "NodeDevice.list_capabilities", "listCaps", on=_NET_DEVICE),
    reading("!test qemu", "NodeDevice.get_autostart", "autostart"),
    reading("!test qemu", "NodeDevice.is_active", "isActive"),
    reading("!test qemu", "NodeDevice.is_persistent", "isPersistent"),
    reading("!test !qemu", "NodeDevice.reattach", "reAttach"),
    reading("!test !qemu", "NodeDevice.dettach", "dettach"),
    reading("!test !qemu", "NodeDevice.dettach", "detachFlags", "vfio", 0),
    reading("!test !qemu", "NodeDevice.reset", "reset"),
    reading("!test !qemu", "NodeDevice.create", "create", 0),
    reading("!test !qemu", "NodeDevice.undefine", "undefine", 0),
    reading("!test !qemu", "NodeDevice.set_autostart", "setAutostart", True),
)

_OTHERS = (
    reading("test qemu", "Interface.get_name", "name"),
    reading("test qemu", "Interface.get_mac", "MACString"),
    reading("test qemu", "Interface.is_active", "isActive"),
    *_described("test qemu", "Interface"),
    *_with_uuid("qemu", "Secret"),
    reading("qemu", "Secret.get_usage_type", "usageType"),
    reading("qemu", "Secret.get_usage_id", "usageID"),
    *_described("qemu", "Secret"),
    reading("!qemu", "Secret.get_value", "value", 0),
    *_named("qemu", "NWFilter"),
    *_described("qemu", "NWFilter"),
    reading("qemu", "NWFilterBinding.get_port_dev", "portDev"),
    reading("qemu", "NWFilterBinding.get_filter_name", "filterName"),
    *_described("qemu", "NWFilterBinding"),
    reading("!qemu", "Interface.create", "create", 0),
    reading("!qemu", "Interface.destroy", "destroy", 0),
    reading("!qemu", "Interface.undefine", "undefine"),
)

COMPARISONS: tuple[Comparison, ...] = (*_NETWORK, *_STORAGE, *_DEVICES, *_OTHERS)
