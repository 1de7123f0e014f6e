"""A device of the host, such as a PCI card or a disk.

Responsible for putting together the calls, which are generated, and the handle, and for asking for
the parent once only. Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.node_device_handle import NodeDeviceHandle
from virtproto.wire.remote.node_device import NODE_DEVICE_GET_PARENT, NodeDeviceGetParentArgs

from ._methods.node_device import NodeDeviceMethods

__all__ = ["NodeDevice"]


class NodeDevice(NodeDeviceMethods, NodeDeviceHandle):
    """A device of the host, such as a PCI card or a disk.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same device
    on the same connection.

    Once the device is gone, every call on it raises NoNodeDeviceError.
    """

    __slots__ = ()

    def get_parent(self) -> str | None:
        """Return the name of the device that this one is behind, None for the topmost.

        The daemon is asked once; the handle remembers the answer, as a device stays where it is.

        Raises:
            NoNodeDeviceError: The device is gone.

        Procedure: NODE_DEVICE_GET_PARENT (libvirt 0.5.0).
        """
        parent = self._known_parent()
        if parent is None:
            args = NodeDeviceGetParentArgs(name=self._wire.name)
            parent = (self._call(NODE_DEVICE_GET_PARENT, args)).parentName
            if parent is not None:
                self._parent = parent
        return parent
