"""What is made ready on a stage: the objects that comparisons ask, and their names.

Responsible for defining and starting them through the C binding. It must not know what is asked of
them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lab.c_binding import CBinding
from tests.lab.daemon import PrivateDaemon
from tests.lab.linux_guest import LinuxGuest, Nic
from tests.lab.running import running

__all__ = ["ready_for_qemu", "ready_for_test"]

_MAC = "52:54:00:00:00:01"
_SECRET = "3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0001"
_PORT = "3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0002"

_NETWORK_XML = """<network><name>lan</name><bridge name='labbr0' stp='on' delay='0'/>
<ip address='192.168.150.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.150.2' end='192.168.150.254'/></dhcp></ip></network>"""
_POOL_XML = (
    """<pool type='dir'><name>pool</name><target><path>{folder}/pool</path></target></pool>"""
)
_VOLUME_XML = """<volume><name>{name}</name><capacity unit='KiB'>1024</capacity>
<target><format type='raw'/></target></volume>"""
_SECRET_XML = f"""<secret ephemeral='no' private='no'><uuid>{_SECRET}</uuid>
<description>of the lab</description><usage type='volume'><volume>/lab/secret</volume></usage>
</secret>"""
_NWFILTER_XML = """<filter name='no-telnet' chain='ipv4'>
<rule action='drop' direction='in'><tcp dstportstart='23'/></rule></filter>"""
_SPARE_XML = """<domain type='test'><name>spare</name>
<uuid>3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0003</uuid><title>A spare</title>
<memory unit='KiB'>204800</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"""

# What is started, stopped and saved; nothing boots in it.
_OTHER_XML = """<domain type='{kind}'><name>other</name>
<uuid>3c1f2b52-1f0c-4d4e-8f51-6b1f5a0c0004</uuid><memory unit='KiB'>16384</memory>
<vcpu current='1'>2</vcpu><os>{os}</os>
<features><acpi/></features><devices>{devices}</devices></domain>"""
_OTHER_OS = "<type arch='x86_64' machine='pc'>hvm</type>"
_OTHER_DEVICES = """<emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/>"""

_SPARE_CHANNEL = """<channel type='unix'><target type='virtio' name='org.lab.spare'/></channel>"""


_NONE = "none"
_FIRST_SNAPSHOT = "<domainsnapshot><name>first</name></domainsnapshot>"

# What both stages call the same.
_SAME_NAMES = {
    "other": "other",
    "snapshot": "first",
    "checkpoint": "first",
    "volume": "vol",
    "device": "computer",
    "disk": "vda",
    "secret": _SECRET,
}

# What the test driver has by itself, and what is added to it.
_TEST_NAMES = {
    **_SAME_NAMES,
    "domain": "test",
    "uuid": "6695eb01-f6a4-8304-79aa-97f2502e193f",
    "idle": "spare",
    "snapshot_domain": "test",
    "unsnapped": "spare",
    "memory_kib": 2097152,
    "idle_memory_kib": 204800,
    "weight": "weight",
    "other_xml": _OTHER_XML.format(kind="test", os="<type>hvm</type>", devices=""),
    "network": "default",
    "port": _PORT,
    "nic": "testnet0",
    "mac": "aa:bb:cc:dd:ee:ff",
    "pool": "default-pool",
    "pool_path": "/default-pool",
    "volume_path": "/default-pool/vol",
    "interface": "eth1",
    "interface_mac": "aa:bb:cc:dd:ee:ff",
    "net_device": "scsi_host1",
    "nwfilter": _NONE,
    "nwfilter_uuid": _SECRET,
    "port_dev": _NONE,
}


def ready_for_test(daemon: PrivateDaemon, binding: CBinding, held: ExitStack) -> Mapping[str, Any]:
    """Make ready a test driver; return the names of what there is."""

    binding.ask("defineXML", _SPARE_XML)
    binding.ask_domain("test", "snapshotCreateXML", _FIRST_SNAPSHOT)
    pool = (("storagePoolLookupByName", "default-pool"),)
    binding.ask_at(pool, "createXML", _VOLUME_XML.format(name="vol"))
    return {
        **_TEST_NAMES,
        "folder": str(daemon.folder),
        "network_uuid": binding.ask("networkLookupByName", "default")["uuid"],
        "pool_uuid": binding.ask("storagePoolLookupByName", "default-pool")["uuid"],
    }


def ready_for_qemu(daemon: PrivateDaemon, binding: CBinding, held: ExitStack) -> Mapping[str, Any]:
    """Make ready a host of guests, one of them running; return the names of what there is."""
    _define_surroundings(daemon.folder, binding)
    # Control groups are the machine's: two runs at once must not meet in one.
    guest = LinuxGuest(
        daemon.folder,
        f"linux{os.getpid()}",
        vcpus=2,
        max_vcpus=4,
        nic=Nic("lan", _MAC, "no-telnet"),
        graphics=True,
        devices=_SPARE_CHANNEL,
    )
    idle = held.enter_context(LinuxGuest(daemon.folder, f"idle{os.getpid()}"))
    binding.ask("defineXML", idle.xml)
    binding.ask_domain(idle.name, "snapshotCreateXML", _FIRST_SNAPSHOT, 0)
    held.enter_context(running(binding, guest, persistent=True))
    return {
        **_SAME_NAMES,
        **_names_of_surroundings(daemon.folder, binding),
        "folder": str(daemon.folder),
        "domain": guest.name,
        "uuid": str(guest.uuid),
        "idle": idle.name,
        "snapshot_domain": idle.name,
        "unsnapped": guest.name,
        "memory_kib": guest.memory_kib,
        "idle_memory_kib": idle.memory_kib,
        "weight": "cpu_shares",
        "pages_to_scan": binding.ask("getMemoryParameters", 0)["shm_pages_to_scan"],
        "other_xml": _OTHER_XML.format(kind="qemu", os=_OTHER_OS, devices=_OTHER_DEVICES),
        "mac": _MAC,
    }


def _define_surroundings(folder: Path, binding: CBinding) -> None:
    (folder / "pool").mkdir()
    binding.ask("nwfilterDefineXML", _NWFILTER_XML)
    binding.ask("networkDefineXML", _NETWORK_XML)
    binding.ask_at((("networkLookupByName", "lan"),), "create")
    pool = (("storagePoolLookupByName", "pool"),)
    binding.ask("storagePoolDefineXML", _POOL_XML.format(folder=folder), 0)
    binding.ask_at(pool, "create", 0)
    binding.ask_at(pool, "createXML", _VOLUME_XML.format(name="vol"), 0)
    binding.ask("secretDefineXML", _SECRET_XML, 0)


def _names_of_surroundings(folder: Path, binding: CBinding) -> dict[str, str]:
    """Return the names of what the running guest is connected to, some of which libvirt chose."""
    [port] = binding.ask_at((("networkLookupByName", "lan"),), "listAllPorts", 0)
    [bound] = binding.ask("listAllNWFilterBindings", 0)
    device = next(d for d in binding.ask("listAllDevices", 0) if d["name"].startswith("net_lab0"))
    return {
        "network": "lan",
        "network_uuid": binding.ask("networkLookupByName", "lan")["uuid"],
        "port": port["uuid"],
        "nic": bound["port_dev"],
        "port_dev": bound["port_dev"],
        "nwfilter": "no-telnet",
        "nwfilter_uuid": binding.ask("nwfilterLookupByName", "no-telnet")["uuid"],
        "pool": "pool",
        "pool_uuid": binding.ask("storagePoolLookupByName", "pool")["uuid"],
        "pool_path": f"{folder}/pool",
        "volume_path": f"{folder}/pool/vol",
        "interface": "lab0",
        "interface_mac": binding.ask("interfaceLookupByName", "lab0")["mac"],
        "net_device": device["name"],
    }
