"""Networks, pools, volumes, interfaces, secrets and filters: made, changed and dropped."""

from __future__ import annotations

import re
from typing import Any

from tests.differential.comparison import (
    ADDRESSES,
    Address,
    Comparison,
    Do,
    ObjectArgument,
    Remove,
    See,
    StreamArgument,
)
from tests.differential.writing import act, ask, reading, scenario

__all__ = ["COMPARISONS"]

_UUID = "3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0010"
NO_UUID = "00000000-0000-4000-8000-000000000000"

NET_XML = f"""<network><name>spare</name><uuid>{_UUID}</uuid><bridge name='labbr9'/>
<mac address='52:54:00:00:00:09'/><ip address='192.168.159.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.159.2' end='192.168.159.9'/></dhcp></ip></network>"""
_LEASE_XML = "<host mac='52:54:00:00:00:0a' ip='192.168.159.5'/>"
PORT_XML = f"""<networkport><uuid>{_UUID}</uuid><owner><name>x</name>
<uuid>{NO_UUID}</uuid></owner><mac address='52:54:00:00:00:0b'/>
<bandwidth><inbound average='50'/></bandwidth></networkport>"""
POOL_XML = f"""<pool type='dir'><name>spare</name><uuid>{_UUID}</uuid>
<target><path>$folder/spare</path></target></pool>"""
_VOLUME_XML = """<volume><name>fresh</name><capacity unit='KiB'>64</capacity>
<target><format type='raw'/></target></volume>"""
_CLONE_XML = """<volume><name>clone</name><capacity unit='KiB'>64</capacity>
<target><format type='raw'/></target></volume>"""
_BIG_XML = """<volume><name>big</name><capacity unit='KiB'>256</capacity>
<allocation>0</allocation><target><format type='raw'/></target></volume>"""
SPARSE = 1
_INTERFACE_XML = """<interface type='ethernet' name='eth9'><start mode='none'/>
<mac address='52:54:00:00:00:0c'/></interface>"""
SECRET_XML = f"""<secret ephemeral='no' private='no'><uuid>{_UUID}</uuid>
<usage type='ceph'><name>lab.spare</name></usage></secret>"""
_FILTER_XML = f"""<filter name='spare' chain='ipv4'><uuid>{_UUID}</uuid>
<rule action='drop' direction='in'><tcp dstportstart='99'/></rule></filter>"""
_BINDING_XML = """<filterbinding><owner><name>x</name>
<uuid>3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0010</uuid></owner><portdev name='lab1'/>
<mac address='52:54:00:00:00:0d'/><filterref filter='no-telnet'/></filterbinding>"""


def _spare(binding: str, ours: str, name: str = "spare") -> Address:
    return Address(((binding, name),), ((ours, name),))


NETWORK = _spare("networkLookupByName", "get_network_by_name")
POOL = _spare("storagePoolLookupByName", "get_storage_pool_by_name")
INTERFACE = _spare("interfaceLookupByName", "get_interface_by_name", "eth9")
SECRET = _spare("secretLookupByUUIDString", "get_secret_by_uuid", _UUID)
FILTER = _spare("nwfilterLookupByName", "get_nwfilter_by_name")
BINDING = _spare("nwfilterBindingLookupByPortDev", "get_nwfilter_binding_by_port_dev", "lab1")


def _in_pool(name: str) -> Address:
    above = ADDRESSES["pool"]
    return Address(
        (*above.binding, ("storageVolLookupByName", name)),
        (*above.ours, ("get_volume_by_name", name)),
    )


FRESH, CLONE, BIG = _in_pool("fresh"), _in_pool("clone"), _in_pool("big")
PORT = Address(
    (("networkLookupByName", "spare"), ("portLookupByUUIDString", _UUID)),
    (("get_network_by_name", "spare"), ("get_port_by_uuid", _UUID)),
)


def _without_times(xml: Any) -> Any:
    return re.sub(r"<(atime|mtime|ctime|btime)>[\d.]+", r"<\1>", xml) if xml else xml


_NETWORKS = (
    scenario(
        "a network defined, started, changed, stopped and dropped",
        "test qemu",
        ask("Connection.define_network", "networkDefineXML", NET_XML),
        See(NETWORK, "XMLDesc"),
        act("Network.set_autostart", "setAutostart", True, on=NETWORK),
        ask("Network.get_autostart", "autostart", on=NETWORK),
        act("Network.create", "create", on=NETWORK),
        ask("Network.create", "create", on=NETWORK, outcome="refusal"),
        See(NETWORK, "isActive"),
        act(
            "Network.update",
            "update",
            3,
            4,
            -1,
            _LEASE_XML,
            3,
            on=NETWORK,
        ),
        See(NETWORK, "XMLDesc"),
        ask("Network.update", "update", 3, 99, -1, "<x/>", 3, on=NETWORK, outcome="refusal"),
        ask("Network.get_dhcp_leases", "DHCPLeases", on=NETWORK, outcome="!test qemu"),
        act("Network.destroy", "destroy", on=NETWORK),
        See(NETWORK, "isActive"),
        act("Network.undefine", "undefine", on=NETWORK),
        See(NETWORK, "isActive"),
        afterwards=[Do(NETWORK, "destroy"), Do(NETWORK, "undefine")],
    ),
    scenario(
        "a transient network, and definitions that are refused",
        "test qemu",
        ask("Connection.create_network", "networkCreateXML", NET_XML),
        See(NETWORK, "isPersistent"),
        act("Network.destroy", "destroy", on=NETWORK),
        ask("Connection.create_network", "networkCreateXML", "<network/>", outcome="refusal"),
        ask("Connection.define_network", "networkDefineXML", "<network>", outcome="refusal"),
        ask(
            "Connection.define_network",
            "networkDefineXMLFlags",
            "<network/>",
            1,
            outcome="refusal",
        ),
        ask("Connection.create_network", "networkCreateXMLFlags", NET_XML, 1),
        afterwards=[Do(NETWORK, "destroy"), Do(NETWORK, "undefine")],
    ),
    reading("!test", "Network.create_port", "portCreateXML", PORT_XML, 0),
    scenario(
        "a port of a network",
        "qemu",
        Do("connection", "networkCreateXML", (NET_XML,)),
        ask("Network.create_port", "portCreateXML", PORT_XML, 0, on=NETWORK),
        See(NETWORK, "listAllPorts"),
        ask("NetworkPort.get_parameters", "parameters", 0, on=PORT),
        act(
            "NetworkPort.set_parameters",
            "setParameters",
            {"inbound.average": 100, "inbound.peak": 200},
            0,
            on=PORT,
        ),
        See(PORT, "parameters"),
        ask("NetworkPort.get_parameters", "parameters", 0, on=PORT),
        act("NetworkPort.delete", "delete", 0, on=PORT),
        See(NETWORK, "listAllPorts"),
        afterwards=[Do(PORT, "delete"), Do(NETWORK, "destroy")],
    ),
)

_STORAGE = (
    scenario(
        "a pool defined, built, started, stopped, deleted and dropped",
        "test qemu",
        ask("Connection.define_storage_pool", "storagePoolDefineXML", POOL_XML, 0),
        See(POOL, "XMLDesc"),
        act("StoragePool.build", "build", 0, on=POOL),
        act("StoragePool.set_autostart", "setAutostart", True, on=POOL),
        ask("StoragePool.get_autostart", "autostart", on=POOL),
        act("StoragePool.create", "create", 0, on=POOL),
        ask("StoragePool.create", "create", 0, on=POOL, outcome="refusal"),
        See(POOL, "isActive"),
        act("StoragePool.refresh", "refresh", 0, on=POOL),
        ask("StoragePool.num_of_storage_volumes", "numOfVolumes", on=POOL),
        act("StoragePool.destroy", "destroy", on=POOL),
        act("StoragePool.delete", "delete", 0, on=POOL),
        act("StoragePool.undefine", "undefine", on=POOL),
        See(POOL, "isActive"),
        afterwards=[Do(POOL, "destroy"), Do(POOL, "delete", (0,)), Do(POOL, "undefine")],
    ),
    scenario(
        "a transient pool",
        "test qemu",
        ask(
            "Connection.create_storage_pool",
            "storagePoolCreateXML",
            POOL_XML,
            0,
            outcome="test !qemu",
        ),
        ask(
            "Connection.create_storage_pool",
            "storagePoolCreateXML",
            POOL_XML,
            1,
            outcome="!test qemu",
        ),
        See(POOL, "isPersistent"),
        ask(
            "Connection.create_storage_pool",
            "storagePoolCreateXML",
            "<pool/>",
            0,
            outcome="refusal",
        ),
        afterwards=[Do(POOL, "destroy"), Do(POOL, "undefine"), Remove("$folder/spare")],
    ),
    scenario(
        "a volume made, cloned, resized, wiped and deleted",
        "test qemu",
        ask("StoragePool.create_volume", "createXML", _VOLUME_XML, 0),
        See(FRESH, "XMLDesc", (0,), _without_times),
        ask("StoragePool.create_volume", "createXML", _VOLUME_XML, 0, outcome="refusal"),
        ask("StoragePool.clone_volume", "createXMLFrom", _CLONE_XML, ObjectArgument(FRESH), 0),
        See(CLONE, "info"),
        act("StorageVol.resize", "resize", 256 * 1024, 0, on=FRESH, outcome="!test qemu"),
        See(FRESH, "info"),
        act("StorageVol.wipe", "wipe", 0, on=FRESH, outcome="!test qemu"),
        act("StorageVol.wipe_pattern", "wipePattern", 0, 0, on=FRESH, outcome="!test qemu"),
        ask("StorageVol.wipe_pattern", "wipePattern", 99, 0, on=FRESH, outcome="refusal"),
        ask(
            "Connection.get_storage_pool_by_volume",
            "storagePoolLookupByVolume",
            ObjectArgument(FRESH),
            binding_on=FRESH,
            binding_args=(),
        ),
        act("StorageVol.delete", "delete", 0, on=CLONE),
        act("StorageVol.delete", "delete", 0, on=FRESH),
        See("pool", "listVolumes"),
        afterwards=[Do(FRESH, "delete"), Do(CLONE, "delete")],
    ),
    scenario(
        "bytes into a volume and out of it",
        "!test qemu",
        ask(
            "StorageVol.upload",
            "upload",
            StreamArgument(send=(bytes(range(256)) * 100,)),
            512,
            25600,
            0,
            theirs=lambda answer: [None, answer[1]],
        ),
        ask(
            "StorageVol.download",
            "download",
            StreamArgument(receive=-1),
            500,
            600,
            0,
            theirs=lambda answer: [None, answer[1]],
        ),
    ),
)

_HOLED = (b"a" * 4096, 65536, b"b" * 8192, 131072, b"c" * 4096)
_LENGTH = sum(part if isinstance(part, int) else len(part) for part in _HOLED)


def _streamed(way: str, flags: int) -> Comparison:
    sent = _HOLED if flags else (b"whole" * 1000,)
    return scenario(
        f"bytes and holes by way of {way!r}",
        "qemu",
        Do("pool", "createXML", (_BIG_XML, 0)),
        ask(
            "StorageVol.upload",
            "upload",
            StreamArgument(send=sent, way=way),
            0,
            _LENGTH if flags else 5000,
            flags,
            on=BIG,
            theirs=lambda answer: [None, answer[1]],
        ),
        ask(
            "StorageVol.download",
            "download",
            StreamArgument(receive=-1, way=way),
            0,
            _LENGTH,
            flags,
            on=BIG,
            theirs=lambda answer: [None, answer[1]],
        ),
        See(BIG, "info"),
        afterwards=[Do(BIG, "delete")],
    )


_STREAMS = (
    _streamed("", 0),
    _streamed("all", 0),
    _streamed("sparse", SPARSE),
    _streamed("sparse_all", SPARSE),
    scenario(
        "a download broken off",
        "qemu",
        ask(
            "StorageVol.download",
            "download",
            StreamArgument(receive=10, end="abort"),
            0,
            100,
            0,
            theirs=lambda answer: [None, answer[1]],
        ),
    ),
)

_INTERFACES = (
    scenario(
        "an interface defined in a change, and the change undone",
        "test",
        act("Connection.interface_change_begin", "changeBegin", 0),
        ask("Connection.interface_change_begin", "changeBegin", 0, outcome="refusal"),
        ask("Connection.define_interface", "interfaceDefineXML", _INTERFACE_XML, 0),
        See(INTERFACE, "XMLDesc"),
        act("Interface.create", "create", 0, on=INTERFACE),
        See(INTERFACE, "isActive"),
        act("Interface.destroy", "destroy", 0, on=INTERFACE),
        See(INTERFACE, "isActive"),
        act("Connection.interface_change_rollback", "changeRollback", 0),
        See(INTERFACE, "isActive"),
        afterwards=[Do("connection", "changeRollback")],
    ),
    scenario(
        "an interface defined in a change, and the change kept",
        "test",
        act("Connection.interface_change_begin", "changeBegin", 0),
        Do("connection", "interfaceDefineXML", (_INTERFACE_XML,)),
        act("Connection.interface_change_commit", "changeCommit", 0),
        ask("Connection.interface_change_commit", "changeCommit", 0, outcome="refusal"),
        ask("Interface.undefine", "undefine", on=INTERFACE, theirs=lambda answer: None),
        See(INTERFACE, "isActive"),
        afterwards=[Do(INTERFACE, "undefine")],
    ),
)

_NO_INTERFACES = (
    reading("!qemu", "Connection.interface_change_begin", "changeBegin", 0),
    reading("!qemu", "Connection.interface_change_commit", "changeCommit", 0),
    reading("!qemu", "Connection.interface_change_rollback", "changeRollback", 0),
    reading("!qemu", "Connection.define_interface", "interfaceDefineXML", _INTERFACE_XML, 0),
    reading("!qemu", "Connection.create_interface", "interfaceDefineXML", _INTERFACE_XML),
)

VHBA_XML = """<device><parent>scsi_host1</parent><capability type='scsi_host'>
<capability type='fc_host'><wwnn>20000000c9831b4b</wwnn><wwpn>10000000c9831b4b</wwpn></capability>
</capability></device>"""
VHBA = Address(
    (("nodeDeviceLookupByName", "scsi_host12"),), (("get_node_device_by_name", "scsi_host12"),)
)

_OTHERS = (
    scenario(
        "a device of the host made and taken away",
        "test",
        ask("Connection.create_node_device", "nodeDeviceCreateXML", VHBA_XML, 0),
        See(VHBA, "XMLDesc"),
        act("NodeDevice.destroy", "destroy", on=VHBA),
        See(VHBA, "XMLDesc"),
        afterwards=[Do(VHBA, "destroy")],
    ),
    reading("!test", "Connection.define_secret", "secretDefineXML", SECRET_XML, 0),
    scenario(
        "a secret defined, filled and dropped",
        "qemu",
        ask("Connection.define_secret", "secretDefineXML", SECRET_XML, 0),
        act("Secret.set_value", "setValue", b"\x00very secret\xff", 0, on=SECRET),
        See(SECRET, "value"),
        ask("Secret.get_value", "value", 0, on=SECRET),
        See(SECRET, "XMLDesc"),
        act("Secret.undefine", "undefine", on=SECRET),
        ask("Connection.define_secret", "secretDefineXML", "<none/>", 0, outcome="refusal"),
        See("connection", "listSecrets"),
        afterwards=[Do(SECRET, "undefine")],
    ),
    reading("!test", "Connection.define_nwfilter", "nwfilterDefineXML", _FILTER_XML),
    reading("!test", "Connection.define_nwfilter", "nwfilterDefineXMLFlags", _FILTER_XML, 1),
    scenario(
        "a filter defined and dropped",
        "qemu",
        ask("Connection.define_nwfilter", "nwfilterDefineXML", _FILTER_XML),
        ask("Connection.define_nwfilter", "nwfilterDefineXMLFlags", _FILTER_XML, 1),
        See(FILTER, "XMLDesc"),
        act("NWFilter.undefine", "undefine", on=FILTER),
        See(FILTER, "XMLDesc"),
        ask("NWFilter.undefine", "undefine", on="nwfilter", outcome="refusal"),
        afterwards=[Do(FILTER, "undefine")],
    ),
    reading(
        "!test",
        "Connection.create_nwfilter_binding",
        "nwfilterBindingCreateXML",
        _BINDING_XML,
        0,
    ),
    scenario(
        "a filter bound to an interface of the host",
        "qemu",
        ask("Connection.create_nwfilter_binding", "nwfilterBindingCreateXML", _BINDING_XML, 0),
        See(BINDING, "XMLDesc"),
        See("connection", "listAllNWFilterBindings"),
        act("NWFilterBinding.delete", "delete", on=BINDING),
        See(BINDING, "XMLDesc"),
        afterwards=[Do(BINDING, "delete")],
    ),
    reading("!test !qemu", "Connection.create_node_device", "nodeDeviceCreateXML", "<device/>", 0),
    reading("!test !qemu", "Connection.define_node_device", "nodeDeviceDefineXML", "<device/>", 0),
    reading("!test !qemu", "Connection.create_interface", "interfaceDefineXML", "<interface/>"),
    scenario(
        "an interface defined at once",
        "test",
        ask("Connection.create_interface", "interfaceDefineXML", _INTERFACE_XML),
        See(INTERFACE, "XMLDesc"),
        afterwards=[Do(INTERFACE, "undefine")],
    ),
    reading("!qemu", "NodeDevice.destroy", "destroy"),
)

COMPARISONS: tuple[Comparison, ...] = (
    *_NETWORKS,
    *_STORAGE,
    *_STREAMS,
    *_INTERFACES,
    *_NO_INTERFACES,
    *_OTHERS,
)
