"""What the calls on a domain's network interfaces return.

Knows no message class; shapes fill these.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import IPAddrType

__all__ = ["DomainInterface", "IPAddress", "InterfaceStats"]


class InterfaceStats(NamedTuple):
    """What went through a network interface since it was plugged in (virDomainInterfaceStats).

    ``rx_*`` counts what the guest received, ``tx_*`` what it sent: bytes, packets, errors, and
    packets that were dropped. A counter that the hypervisor does not have is -1.
    """

    rx_bytes: int
    rx_packets: int
    rx_errs: int
    rx_drop: int
    tx_bytes: int
    tx_packets: int
    tx_errs: int
    tx_drop: int


class IPAddress(NamedTuple):
    """An address of a network interface (virDomainInterfaceIPAddress).

    ``type`` is an IPAddrType: IPV4 or IPV6; ``address`` is written as text, ``prefix`` is how many
    of its leading bits name the network.
    """

    type: IPAddrType | int
    address: str
    prefix: int


class DomainInterface(NamedTuple):
    """A network interface and its addresses (virDomainInterface).

    ``name`` is the host's name for it (leases, ARP) or the guest's own (agent); ``mac`` is its
    MAC address as text, None where it has none, as a loopback interface; ``addresses`` may be
    empty.
    """

    name: str
    mac: str | None
    addresses: list[IPAddress]
