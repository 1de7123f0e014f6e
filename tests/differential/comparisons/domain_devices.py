"""Plugging and changing devices, and limits of what they may do."""

from __future__ import annotations

import re

from tests.differential.comparison import Comparison, Do, FileArgument, See, Wait
from tests.differential.comparisons.domain_changes import OTHER
from tests.differential.writing import act, ask, scenario

__all__ = ["COMPARISONS"]

LIVE, CONFIG = 1, 2
BYTES = 1

_XML = See("domain", "XMLDesc", (0,))
_DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='$folder/pool/vol'/><target dev='vdb' bus='virtio'/><alias name='ua-spare'/></disk>"""
_LINK = """<interface type='network'><mac address='$mac'/><source network='lan'/>
<model type='virtio'/><filterref filter='no-telnet'/><link state='{}'/></interface>"""


def _without_addresses(xml: str) -> str:
    return re.sub(r"<address type='pci'[^>]*>| index='\d+'", "", xml)


_UNPLUGGED = Wait("domain", "XMLDesc", (0,), lambda xml: "vdb" not in xml)

_PLUGGING = (
    scenario(
        "a disk plugged and unplugged",
        "!test-only qemu",
        act("Domain.attach_device", "attachDeviceFlags", _DISK, LIVE),
        See("domain", "XMLDesc", (0,), _without_addresses),
        ask("Domain.attach_device", "attachDeviceFlags", _DISK, LIVE, outcome="refusal"),
        ask("Domain.block_peek", "blockPeek", "vdb", 0, 16, 0),
        act("Domain.detach_device", "detachDeviceFlags", _DISK, LIVE),
        afterwards=[Do("domain", "detachDeviceFlags", (_DISK, LIVE)), _UNPLUGGED],
    ),
    scenario(
        "a disk plugged without flags and unplugged by its alias",
        "!test-only qemu",
        act("Domain.attach_device", "attachDevice", _DISK),
        act("Domain.detach_device_alias", "detachDeviceAlias", "ua-spare", LIVE),
        afterwards=[Do("domain", "detachDeviceFlags", (_DISK, LIVE)), _UNPLUGGED],
    ),
    scenario(
        "a device in a stored definition",
        "!test qemu",
        act("Domain.attach_device", "attachDeviceFlags", _DISK, CONFIG, on="idle"),
        See("idle", "XMLDesc"),
        act("Domain.detach_device", "detachDeviceFlags", _DISK, CONFIG, on="idle"),
        See("idle", "XMLDesc"),
        ask("Domain.detach_device", "detachDevice", _DISK, on="idle", outcome="refusal"),
        ask("Domain.detach_device_alias", "detachDeviceAlias", "ua-x", LIVE, outcome="refusal"),
    ),
    scenario(
        "a link cut and joined",
        "!test qemu",
        act("Domain.update_device", "updateDeviceFlags", _LINK.format("down"), LIVE),
        _XML,
        act("Domain.update_device", "updateDeviceFlags", _LINK.format("up"), LIVE),
        _XML,
        afterwards=[Do("domain", "updateDeviceFlags", (_LINK.format("up"), LIVE))],
    ),
    scenario(
        # An old daemon hangs up on descriptors for a call that it does not know.
        "a set of files under a name",
        "test-only qemu",
        Do("connection", "defineXML", ("$other_xml",)),
        act(
            "Domain.fd_associate",
            "FDAssociate",
            "set",
            [FileArgument("/dev/null")],
            0,
            on=OTHER,
            outcome="!test-only qemu",
        ),
        afterwards=[Do(OTHER, "undefine")],
    ),
)

_LIMITS = (
    scenario(
        "a bigger disk",
        "!test qemu",
        act("Domain.block_resize", "blockResize", "vda", 24 * 1024 * 1024, BYTES),
        See("domain", "blockInfo", ("vda", 0), lambda info: info[0]),
        ask("Domain.block_resize", "blockResize", "vdz", 1, BYTES, outcome="refusal"),
        afterwards=[Do("domain", "blockResize", ("vda", 16 * 1024 * 1024, BYTES))],
    ),
    scenario(
        # The binding reads them first, and an old test driver refuses that already.
        "weight of its disks",
        "test-only qemu",
        act("Domain.set_blkio_parameters", "setBlkioParameters", {"weight": 500}, CONFIG),
        See("domain", "blkioParameters", (CONFIG,)),
        ask("Domain.get_blkio_parameters", "blkioParameters", CONFIG),
        act(
            "Domain.set_blkio_parameters",
            "setBlkioParameters",
            {"device_read_bytes_sec": "/dev/null,1000"},
            CONFIG,
        ),
        See("domain", "blkioParameters", (CONFIG,)),
        afterwards=[
            Do(
                "domain",
                "setBlkioParameters",
                ({"weight": 0, "device_read_bytes_sec": "/dev/null,0"}, CONFIG),
            ),
            Do("domain", "setBlkioParameters", ({"weight": 0}, CONFIG)),
        ],
    ),
    scenario(
        "throttling of a disk",
        "test qemu",
        act(
            "Domain.set_block_iotune",
            "setBlockIoTune",
            "vda",
            {"read_iops_sec": 1000, "write_bytes_sec": 1 << 33, "group_name": "lab"},
            LIVE,
            outcome="!test qemu",
        ),
        See("domain", "blockIoTune", ("vda", LIVE)),
        ask("Domain.get_block_iotune", "blockIoTune", "vda", LIVE),
        act("Domain.set_block_iotune", "setBlockIoTune", "vda", {"read_iops_sec": 0}, LIVE),
        See("domain", "blockIoTune", ("vda", LIVE)),
        afterwards=[
            Do("domain", "setBlockIoTune", ("vda", {"total_bytes_sec": 0}, LIVE)),
        ],
    ),
    scenario(
        "an event past a threshold",
        "!test qemu",
        act("Domain.set_block_threshold", "setBlockThreshold", "vda", 1 << 23, 0),
        ask("Domain.set_block_threshold", "setBlockThreshold", "vdz", 1, 0, outcome="refusal"),
        afterwards=[Do("domain", "setBlockThreshold", ("vda", 0, 0))],
    ),
    scenario(
        "bandwidth of a network card",
        "test qemu",
        act(
            "Domain.set_interface_parameters",
            "setInterfaceParameters",
            "$nic",
            {"inbound.average": 1000, "outbound.peak": 2000, "outbound.average": 1000},
            CONFIG,
            outcome="test !qemu",
        ),
        See("domain", "interfaceParameters", ("$mac", CONFIG)),
        act(
            "Domain.set_interface_parameters",
            "setInterfaceParameters",
            "$mac",
            {"inbound.average": 1000},
            CONFIG,
        ),
        See("domain", "interfaceParameters", ("$mac", CONFIG)),
        ask("Domain.get_interface_parameters", "interfaceParameters", "$mac", CONFIG),
        afterwards=[
            Do(
                "domain",
                "setInterfaceParameters",
                ("$mac", {"inbound.average": 0, "outbound.average": 0}, CONFIG),
            )
        ],
    ),
)

COMPARISONS: tuple[Comparison, ...] = (*_PLUGGING, *_LIMITS)
