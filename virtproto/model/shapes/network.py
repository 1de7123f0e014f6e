"""What networks answer, as records."""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.records.network import NetworkDHCPLease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.network import NetworkGetDhcpLeasesRet

__all__ = ["dhcp_leases"]


def dhcp_leases(ret: NetworkGetDhcpLeasesRet) -> list[NetworkDHCPLease]:
    """Return the leases of a network in the daemon's order."""
    return [
        NetworkDHCPLease(
            interface=lease.iface,
            expiry_time_s=lease.expirytime,
            type=member("IPAddrType", lease.type),
            mac=lease.mac,
            iaid=lease.iaid,
            address=lease.ipaddr,
            prefix=lease.prefix,
            hostname=lease.hostname,
            client_id=lease.clientid,
        )
        for lease in ret.leases
    ]
