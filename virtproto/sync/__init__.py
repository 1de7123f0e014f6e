"""The front end for threads: ``open``, Connection, Domain, and the other kinds of object.

Blocking calls on the thread that makes them. Threads of its own are for what goes on between calls:
keepalive (one for all connections), callbacks, opening anew. Must not load asyncio. What is no
connection or its opening is loaded when it is first used.
"""

from __future__ import annotations

from virtproto.sync.connection import Connection
from virtproto.sync.connection import open_connection_to as open  # noqa: A004

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.reconnecting import Reconnect as Reconnect
    from virtproto.model.records.domain_info import DomainInfo as DomainInfo
    from virtproto.model.records.domain_info import DomainStateInfo as DomainStateInfo
    from virtproto.sync.domain import Domain as Domain
    from virtproto.sync.domain_checkpoint import DomainCheckpoint as DomainCheckpoint
    from virtproto.sync.domain_snapshot import DomainSnapshot as DomainSnapshot
    from virtproto.sync.interface import Interface as Interface
    from virtproto.sync.network import Network as Network
    from virtproto.sync.network_port import NetworkPort as NetworkPort
    from virtproto.sync.node_device import NodeDevice as NodeDevice
    from virtproto.sync.nwfilter import NWFilter as NWFilter
    from virtproto.sync.nwfilter_binding import NWFilterBinding as NWFilterBinding
    from virtproto.sync.secret import Secret as Secret
    from virtproto.sync.storage_pool import StoragePool as StoragePool
    from virtproto.sync.storage_vol import StorageVol as StorageVol
    from virtproto.sync.stream import Stream as Stream

# Module of each name that is loaded when it is first used.
_HOMES = {
    "Domain": "virtproto.sync.domain",
    "DomainCheckpoint": "virtproto.sync.domain_checkpoint",
    "DomainSnapshot": "virtproto.sync.domain_snapshot",
    "Interface": "virtproto.sync.interface",
    "NWFilter": "virtproto.sync.nwfilter",
    "NWFilterBinding": "virtproto.sync.nwfilter_binding",
    "Network": "virtproto.sync.network",
    "NetworkPort": "virtproto.sync.network_port",
    "NodeDevice": "virtproto.sync.node_device",
    "Reconnect": "virtproto.model.reconnecting",
    "Secret": "virtproto.sync.secret",
    "StoragePool": "virtproto.sync.storage_pool",
    "StorageVol": "virtproto.sync.storage_vol",
    "Stream": "virtproto.sync.stream",
    "DomainInfo": "virtproto.model.records.domain_info",
    "DomainStateInfo": "virtproto.model.records.domain_info",
}

__all__ = [
    "Connection",
    "Domain",
    "DomainCheckpoint",
    "DomainInfo",
    "DomainSnapshot",
    "DomainStateInfo",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "Reconnect",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
    "open",
]


def __getattr__(name: str) -> object:
    try:
        module = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(__import__(module, fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
