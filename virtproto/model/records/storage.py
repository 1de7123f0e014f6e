"""Records of storage pools and volumes."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.constants import StoragePoolState, StorageVolType

__all__ = ["StoragePoolInfo", "StorageVolInfo", "VolTransfer"]


class StoragePoolInfo(NamedTuple):
    """A pool's state and how full it is (virStoragePoolInfo).

    ``state`` tells whether it is in use and well, ``capacity_bytes`` is what it could hold,
    ``allocation_bytes`` what its volumes take now, ``available_bytes`` what is left.
    """

    state: StoragePoolState | int
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int


class StorageVolInfo(NamedTuple):
    """A volume's kind and size (virStorageVolInfo).

    ``type`` tells a file from a device, a directory or a place on the network, ``capacity_bytes``
    is what it can hold and ``allocation_bytes`` what it takes of the pool now: less than its
    capacity where it is sparse, more where its format needs room of its own.
    """

    type: StorageVolType | int
    capacity_bytes: int
    allocation_bytes: int


class VolTransfer(NamedTuple):
    """What ``StorageVol.upload_from`` or ``download_to`` moved.

    ``size_bytes`` is how long the moved stretch is, ``data_bytes`` how much of it travelled and
    ``hole_bytes`` how much was holes, which do not. ``sparse`` tells whether holes could travel as
    such; otherwise they are part of the data, as zeros.
    """

    size_bytes: int
    data_bytes: int
    hole_bytes: int
    sparse: bool
