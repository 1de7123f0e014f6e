"""Calls on a device of the host that are not one call each.

Responsible for which call detaches a device, and for its two-call list of capabilities.
"""

from __future__ import annotations

from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe

__all__ = ["dettach", "list_capabilities"]


def dettach(name: str, *, driver: str | None, flags: int) -> Recipe[None]:
    """Take a device away from the host's driver.

    The older call leaves the driver to the hypervisor. Sources: virNodeDeviceDettach,
    virNodeDeviceDetachFlags.
    """
    if driver is None and not flags:
        yield wire.NODE_DEVICE_DETTACH, wire.NodeDeviceDettachArgs(name=name)
    else:
        yield (
            wire.NODE_DEVICE_DETACH_FLAGS,
            wire.NodeDeviceDetachFlagsArgs(name=name, driverName=driver, flags=flags),
        )


def list_capabilities(name: str) -> Recipe[list[str]]:
    """Return what a device can do. Sources: virNodeDeviceNumOfCaps, virNodeDeviceListCaps."""
    counted = yield wire.NODE_DEVICE_NUM_OF_CAPS, wire.NodeDeviceNumOfCapsArgs(name=name)
    listed = yield (
        wire.NODE_DEVICE_LIST_CAPS,
        wire.NodeDeviceListCapsArgs(name=name, maxnames=counted.num),
    )
    names: list[str] = listed.names
    return names
