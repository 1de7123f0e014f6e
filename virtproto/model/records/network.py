"""Records of virtual networks."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import IPAddrType

__all__ = ["NetworkDHCPLease"]


class NetworkDHCPLease(NamedTuple):
    """An address that a network's DHCP server has lent out (virNetworkDHCPLease).

    ``interface`` is the host's bridge, ``expiry_time_s`` when the lease ends in seconds since 1970
    (UTC), 0 where it never does; ``type`` is the address's family, ``mac`` the borrower's hardware
    address (None where an IPv6 lease has none), ``iaid`` the number that an IPv6 borrower gave its
    interface. ``address`` is what was lent, ``prefix`` how many of its bits are the network's,
    ``hostname`` what the borrower calls itself, and ``client_id`` its DHCP client id or, with IPv6,
    DUID; each of the last two is None where the borrower did not say.
    """

    interface: str
    expiry_time_s: int
    type: IPAddrType | int
    mac: str | None
    iaid: str | None
    address: str
    prefix: int
    hostname: str | None
    client_id: str | None
