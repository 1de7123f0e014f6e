"""A device of the host, such as a PCI card or a disk.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.node_device_handle import NodeDeviceHandle

from .objects import RemoteObject

__all__ = ["NodeDevice"]


class NodeDevice(RemoteObject, NodeDeviceHandle):
    """A device of the host, such as a PCI card or a disk; made by its connection."""

    __slots__ = ()
