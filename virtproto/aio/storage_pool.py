"""A storage pool: a place of the host that volumes are made in.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.storage_pool_handle import StoragePoolHandle

from .objects import RemoteObject

__all__ = ["StoragePool"]


class StoragePool(RemoteObject, StoragePoolHandle):
    """A storage pool: a place of the host that volumes are made in; made by its connection."""

    __slots__ = ()
