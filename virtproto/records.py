"""Every record that methods return or events carry, by name, loaded when it is first used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.records.block import BlockInfo as BlockInfo
    from virtproto.model.records.block import BlockJobInfo as BlockJobInfo
    from virtproto.model.records.domain_condition import DomainControlInfo as DomainControlInfo
    from virtproto.model.records.domain_condition import DomainDiskError as DomainDiskError
    from virtproto.model.records.domain_condition import DomainTime as DomainTime
    from virtproto.model.records.domain_info import DomainInfo as DomainInfo
    from virtproto.model.records.domain_info import DomainStateInfo as DomainStateInfo
    from virtproto.model.records.domain_interface import DomainInterface as DomainInterface
    from virtproto.model.records.domain_interface import InterfaceStats as InterfaceStats
    from virtproto.model.records.domain_interface import IPAddress as IPAddress
    from virtproto.model.records.domain_job import DomainJobInfo as DomainJobInfo
    from virtproto.model.records.domain_stats import DomainStats as DomainStats
    from virtproto.model.records.events import Gap as Gap
    from virtproto.model.records.events import GraphicsAddress as GraphicsAddress
    from virtproto.model.records.events import GraphicsIdentity as GraphicsIdentity
    from virtproto.model.records.guest import FilesystemInfo as FilesystemInfo
    from virtproto.model.records.host import NodeCPUMap as NodeCPUMap
    from virtproto.model.records.host import NodeInfo as NodeInfo
    from virtproto.model.records.host import NodeSecurityModel as NodeSecurityModel
    from virtproto.model.records.network import NetworkDHCPLease as NetworkDHCPLease
    from virtproto.model.records.security import SecurityLabel as SecurityLabel
    from virtproto.model.records.storage import StoragePoolInfo as StoragePoolInfo
    from virtproto.model.records.storage import StorageVolInfo as StorageVolInfo
    from virtproto.model.records.storage import VolTransfer as VolTransfer
    from virtproto.model.records.vcpus import GuestVcpus as GuestVcpus
    from virtproto.model.records.vcpus import IOThreadInfo as IOThreadInfo
    from virtproto.model.records.vcpus import VcpuInfo as VcpuInfo

# Module of virtproto.model.records by record.
_HOMES = {
    "DomainControlInfo": "domain_condition",
    "DomainDiskError": "domain_condition",
    "DomainTime": "domain_condition",
    "GuestVcpus": "vcpus",
    "IOThreadInfo": "vcpus",
    "VcpuInfo": "vcpus",
    "DomainInfo": "domain_info",
    "DomainStateInfo": "domain_info",
    "DomainStats": "domain_stats",
    "NodeCPUMap": "host",
    "NodeInfo": "host",
    "NodeSecurityModel": "host",
    "NetworkDHCPLease": "network",
    "StoragePoolInfo": "storage",
    "StorageVolInfo": "storage",
    "VolTransfer": "storage",
    "BlockInfo": "block",
    "BlockJobInfo": "block",
    "DomainInterface": "domain_interface",
    "InterfaceStats": "domain_interface",
    "IPAddress": "domain_interface",
    "DomainJobInfo": "domain_job",
    "FilesystemInfo": "guest",
    "Gap": "events",
    "GraphicsAddress": "events",
    "GraphicsIdentity": "events",
    "SecurityLabel": "security",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    try:
        module = f"virtproto.model.records.{_HOMES[name]}"
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(__import__(module, fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
