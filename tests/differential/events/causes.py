"""All causes of events, and which types of events have none here, with the reason."""

from __future__ import annotations

from tests.differential.events.cause import Cause
from tests.differential.events.guest_causes import MOVING, ON_PORTS
from tests.differential.events.linux_causes import ON_LINUX
from tests.differential.events.object_causes import ON_TEST, WITHOUT_GUEST

__all__ = ["CAUSES", "NOT_CAUSED"]

CAUSES: tuple[Cause, ...] = (*ON_TEST, *ON_PORTS, *MOVING, *WITHOUT_GUEST, *ON_LINUX)

_TOO_NEW = "newer than the C binding 9.0.0; only QEMU drivers newer than the lab's send it"

# What the C binding cannot be asked about here.
NOT_CAUSED = {
    "NodeDeviceUpdate": "the daemon hears of it from udev, which the lab has none of",
    "DomainNICMACChange": _TOO_NEW,
    "DomainVcpuRemoved": _TOO_NEW,
    "DomainChannelLifecycle": _TOO_NEW,
    "NetworkMetadataChange": (
        "newer than the C binding 9.0.0; caused on libvirtd 11.3.0 and 12.8.0, and heard by both "
        "colours alike"
    ),
}
