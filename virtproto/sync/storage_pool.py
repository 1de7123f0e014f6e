"""A storage pool: a place of the host that volumes are made in.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.storage_pool_handle import StoragePoolHandle

from ._methods.storage_pool import StoragePoolMethods

__all__ = ["StoragePool"]


class StoragePool(StoragePoolMethods, StoragePoolHandle):
    """A storage pool: a place of the host that volumes are made in.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the pool is gone, as a transient one is when it stops, every call on it raises
    NoStoragePoolError.
    """

    __slots__ = ()
