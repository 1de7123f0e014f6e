"""A storage volume: one disk image or partition of a pool.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.storage_vol_handle import StorageVolHandle

from ._methods.storage_vol import StorageVolMethods

__all__ = ["StorageVol"]


class StorageVol(StorageVolMethods, StorageVolHandle):
    """A storage volume: one disk image or partition of a pool.

    Made by its pool, or its connection's lookups. Two handles are equal when they mean the same one
    on the same connection.

    Once the volume is gone, every call on it raises NoStorageVolError; once its pool is,
    NoStoragePoolError.
    """

    __slots__ = ()
