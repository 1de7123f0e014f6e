"""The volumes of a pool by name: the way that there was before they came in one list.

Responsible for asking for as many names as there are volumes; how they are listed and found is in
``lookups``.
"""

from __future__ import annotations

from virtproto.errors import NoStorageVolError
from virtproto.model.recipes.lookups import Lookup, listed_names
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullStoragePool, NonnullStorageVol

__all__ = ["list_storage_vol_names", "list_volumes"]

_VOLUME = Lookup(lambda: wire.STORAGE_VOL_LOOKUP_BY_NAME, result="vol", missing=NoStorageVolError)


def list_storage_vol_names(pool: NonnullStoragePool, *, maxnames: int) -> Recipe[list[str]]:
    """Return names of a pool's volumes. Source: virStoragePoolListVolumes."""
    return listed_names(
        wire.STORAGE_POOL_LIST_VOLUMES, maxnames, wire.STORAGE_VOL_LIST_MAX, pool=pool
    )


def list_volumes(pool: NonnullStoragePool) -> Recipe[list[NonnullStorageVol]]:
    """Return a pool's volumes, one call for each.

    Sources: virStoragePoolListVolumes, virStorageVolLookupByName.
    """
    counted = yield wire.STORAGE_POOL_NUM_OF_VOLUMES, wire.StoragePoolNumOfVolumesArgs(pool=pool)
    names = yield from list_storage_vol_names(pool, maxnames=counted.num)
    return (yield from _VOLUME.each(names, pool=pool))
