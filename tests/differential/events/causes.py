"""All causes of events, and which types of events have none here, with the reason."""

from __future__ import annotations

from tests.differential.events.cause import Cause
from tests.differential.events.guest_causes import ON_PORTS
from tests.differential.events.linux_causes import ON_LINUX
from tests.differential.events.object_causes import ON_TEST, WITHOUT_GUEST

__all__ = ["CAUSES", "NOT_CAUSED"]

CAUSES: tuple[Cause, ...] = (*ON_TEST, *ON_PORTS, *WITHOUT_GUEST, *ON_LINUX)

_TOO_NEW = "newer than the C binding 9.0.0, which has no callback for it"

# What is read from bytes written by hand alone.
NOT_CAUSED = {
    "NodeDeviceUpdate": "the daemon hears of it from udev, which the lab has none of",
    "DomainNICMACChange": _TOO_NEW,
    "DomainVcpuRemoved": _TOO_NEW,
    "DomainChannelLifecycle": _TOO_NEW,
    "NetworkMetadataChange": _TOO_NEW,
}
