"""The stages: a daemon with domains, networks, pools and the rest made ready, and three parties.

Responsible for what there is to ask about, and for its names. It must not know what is asked.

==============  ================================================================================
stage           what it is
==============  ================================================================================
test            libvirtd 9.0.0, test driver; ``test 7.0.0`` and so on are those of other releases
qemu            libvirtd 9.0.0 as a host of guests: a running Linux guest whose agent answers, one
                that is defined only, a network with DHCP, a pool, a secret, a packet filter
migration       two such daemons, and a running Linux guest on the first
==============  ================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.differential.parties import AioParty, BindingParty, SyncParty
from tests.differential.performing import Stage
from tests.lab.c_binding import CBinding, CBindingError
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.guest_image import image_folder
from tests.lab.linux_guest import LinuxGuest, Nic
from tests.lab.migration import migration_daemons
from tests.lab.roots import RELEASES, root_of
from tests.lab.running import running
from tests.lab.seed import SEEDED_VERSION, kept_capabilities

__all__ = ["MIGRATION", "OTHER_RELEASES", "QEMU", "STAGES", "TEST", "open_stage"]

TEST = "test"
QEMU = "qemu"
MIGRATION = "migration"
OTHER_RELEASES = tuple(version for version in RELEASES if version != SEEDED_VERSION)
STAGES = (TEST, QEMU, MIGRATION, *(f"{TEST} {version}" for version in OTHER_RELEASES))

_TEST_URI = "test:///default"
_QEMU_URI = "qemu:///system"

# Between two questions an asyncio connection answers nothing: its event loop stands still then.
_PATIENT = {"keepalive_interval": -1}

# With these the scheduler, memory and block limits of a guest are real.
_CONTROL_GROUPS = ["cpu", "cpuacct", "memory", "blkio", "cpuset", "devices"]

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


@contextmanager
def open_stage(name: str) -> Iterator[Stage]:
    """Yield the stage of that name, made ready."""
    if name == MIGRATION:
        with _moving() as stage:
            yield stage
        return
    with ExitStack() as held:
        if name == QEMU:
            daemon, uri = _hosting_daemon(), _QEMU_URI
        else:
            daemon, uri = (
                private_daemon(name.removeprefix(TEST).strip() or "9.0.0", **_PATIENT),
                _TEST_URI,
            )
        held.enter_context(daemon)
        binding = held.enter_context(CBinding(daemon.uri(uri)))
        ready = _ready_for_qemu if name == QEMU else _ready_for_test
        names = ready(daemon, binding, held)
        sync = held.enter_context(SyncParty(daemon.uri(uri), names))
        aio = held.enter_context(AioParty(daemon.uri(uri), names))
        watcher = held.enter_context(CBinding(daemon.uri(uri), events=True))
        yield Stage(name, BindingParty(binding, names), (sync, aio), BindingParty(watcher, names))


@contextmanager
def _moving() -> Iterator[Stage]:
    with ExitStack() as held:
        pair = held.enter_context(migration_daemons())
        guest = held.enter_context(pair.guest("mover"))
        uri = pair.source_uri
        names = {
            "folder": str(pair.folder),
            "domain": guest.name,
            "source_uri": uri,
            "target_uri": pair.target_uri,
        }
        binding = BindingParty(held.enter_context(CBinding(uri)), names)
        sync = held.enter_context(SyncParty(uri, names))
        aio = held.enter_context(AioParty(uri, names))
        yield Stage(MIGRATION, binding, (sync, aio), binding)


def _hosting_daemon() -> PrivateDaemon:
    return PrivateDaemon(
        root=root_of(SEEDED_VERSION),
        capabilities=kept_capabilities(),
        settings=_PATIENT,
        devices=True,
        hostname="lab-host",
        qemu_settings={"cgroup_controllers": _CONTROL_GROUPS},
        folders=[image_folder()],
    )


def _ready_for_test(daemon: PrivateDaemon, binding: CBinding, held: ExitStack) -> Mapping[str, Any]:
    def arrange(path: tuple[Any, ...], method: str, *args: object) -> None:
        try:
            binding.ask_at(path, method, *args)
        except CBindingError:  # an old release; then there is nothing of that name to be asked
            return

    domain = (("lookupByName", "test"),)
    arrange((), "defineXML", _SPARE_XML)
    arrange(domain, "snapshotCreateXML", "<domainsnapshot><name>first</name></domainsnapshot>")
    arrange(
        domain, "checkpointCreateXML", "<domaincheckpoint><name>first</name></domaincheckpoint>"
    )
    pool = (("storagePoolLookupByName", "default-pool"),)
    arrange(pool, "createXML", _VOLUME_XML.format(name="vol"))
    return {
        "folder": str(daemon.folder),
        "domain": "test",
        "uuid": "6695eb01-f6a4-8304-79aa-97f2502e193f",
        "idle": "spare",
        "memory_kib": 2097152,
        "idle_memory_kib": 204800,
        "weight": "weight",
        "other": "other",
        "other_xml": _OTHER_XML.format(kind="test", os="<type>hvm</type>", devices=""),
        "snapshot_domain": "test",
        "unsnapped": "spare",
        "snapshot": "first",
        "checkpoint": "first",
        "network": "default",
        "network_uuid": binding.ask("networkLookupByName", "default")["uuid"],
        "pool_uuid": binding.ask("storagePoolLookupByName", "default-pool")["uuid"],
        "nwfilter_uuid": _SECRET,
        "port": _PORT,
        "pool": "default-pool",
        "volume": "vol",
        "interface": "eth1",
        "interface_mac": "aa:bb:cc:dd:ee:ff",
        "net_device": "scsi_host1",
        "pool_path": "/default-pool",
        "volume_path": "/default-pool/vol",
        "device": "computer",
        "disk": "vda",
        "nic": "testnet0",
        "mac": "aa:bb:cc:dd:ee:ff",
        "secret": _SECRET,
        "nwfilter": "none",
        "port_dev": "none",
    }


def _ready_for_qemu(daemon: PrivateDaemon, binding: CBinding, held: ExitStack) -> Mapping[str, Any]:
    folder = daemon.folder
    (folder / "pool").mkdir()
    binding.ask("nwfilterDefineXML", _NWFILTER_XML)
    network = (("networkLookupByName", "lan"),)
    binding.ask("networkDefineXML", _NETWORK_XML)
    binding.ask_at(network, "create")
    pool = (("storagePoolLookupByName", "pool"),)
    binding.ask("storagePoolDefineXML", _POOL_XML.format(folder=folder), 0)
    binding.ask_at(pool, "create", 0)
    binding.ask_at(pool, "createXML", _VOLUME_XML.format(name="vol"), 0)
    binding.ask("secretDefineXML", _SECRET_XML, 0)
    # Control groups are the machine's: two runs at once must not meet in one.
    guest = LinuxGuest(
        folder,
        f"linux{os.getpid()}",
        vcpus=2,
        max_vcpus=4,
        nic=Nic("lan", _MAC, "no-telnet"),
        graphics=True,
        devices=_SPARE_CHANNEL,
    )
    idle = held.enter_context(LinuxGuest(folder, f"idle{os.getpid()}"))
    binding.ask("defineXML", idle.xml)
    binding.ask_domain(
        idle.name, "snapshotCreateXML", "<domainsnapshot><name>first</name></domainsnapshot>", 0
    )
    held.enter_context(running(binding, guest, persistent=True))
    [port] = binding.ask_at(network, "listAllPorts", 0)
    [bound] = binding.ask("listAllNWFilterBindings", 0)
    interface = binding.ask("interfaceLookupByName", "lab0")
    device = next(d for d in binding.ask("listAllDevices", 0) if d["name"].startswith("net_lab0"))
    return {
        "folder": str(folder),
        "domain": guest.name,
        "uuid": str(guest.uuid),
        "idle": idle.name,
        "memory_kib": guest.memory_kib,
        "idle_memory_kib": idle.memory_kib,
        "weight": "cpu_shares",
        "other": "other",
        "other_xml": _OTHER_XML.format(kind="qemu", os=_OTHER_OS, devices=_OTHER_DEVICES),
        "snapshot_domain": idle.name,
        "unsnapped": guest.name,
        "snapshot": "first",
        "checkpoint": "first",
        "network": "lan",
        "network_uuid": binding.ask("networkLookupByName", "lan")["uuid"],
        "pool_uuid": binding.ask("storagePoolLookupByName", "pool")["uuid"],
        "nwfilter_uuid": binding.ask("nwfilterLookupByName", "no-telnet")["uuid"],
        "port": port["uuid"],
        "pool": "pool",
        "volume": "vol",
        "interface": "lab0",
        "interface_mac": interface["mac"],
        "net_device": device["name"],
        "pool_path": f"{folder}/pool",
        "volume_path": f"{folder}/pool/vol",
        "device": "computer",
        "disk": "vda",
        "image": str(guest.disk),
        "nic": bound["port_dev"],
        "mac": _MAC,
        "secret": _SECRET,
        "nwfilter": "no-telnet",
        "port_dev": bound["port_dev"],
    }
