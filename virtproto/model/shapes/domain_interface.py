"""What became of calls on network interfaces, as records.

Knows the replies' messages, not how they came.
"""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.records.domain_interface import DomainInterface, InterfaceStats, IPAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.domain_device import DomainInterfaceStatsRet
    from virtproto.wire.remote.domain_guest import DomainInterfaceAddressesRet

__all__ = ["interface_addresses", "interface_stats"]


def interface_stats(ret: DomainInterfaceStatsRet) -> InterfaceStats:
    """Return the counters of an interface."""
    return InterfaceStats(
        ret.rx_bytes,
        ret.rx_packets,
        ret.rx_errs,
        ret.rx_drop,
        ret.tx_bytes,
        ret.tx_packets,
        ret.tx_errs,
        ret.tx_drop,
    )


def interface_addresses(ret: DomainInterfaceAddressesRet) -> list[DomainInterface]:
    """Return interfaces with their addresses, in the daemon's order."""
    return [
        DomainInterface(
            interface.name,
            interface.hwaddr,
            [IPAddress(member("IPAddrType", a.type), a.addr, a.prefix) for a in interface.addrs],
        )
        for interface in ret.ifaces
    ]
