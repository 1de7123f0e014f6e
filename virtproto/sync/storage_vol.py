"""A storage volume: one disk image or partition of a pool.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.storage_vol_handle import StorageVolHandle

from .objects import RemoteObject

__all__ = ["StorageVol"]


class StorageVol(RemoteObject, StorageVolHandle):
    """A storage volume: one disk image or partition of a pool; made by its connection."""

    __slots__ = ()
