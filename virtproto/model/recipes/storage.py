"""The volumes of a pool by name: the way that there was before they came in one list.

Responsible for the limit that a list of names has, and for leaving out what vanishes between calls.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError, UsageError
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullStoragePool, NonnullStorageVol

__all__ = ["list_storage_vol_names", "list_volumes"]

# virErrorNumber VIR_ERR_NO_STORAGE_VOL.
_NO_STORAGE_VOL = 50


def list_storage_vol_names(pool: NonnullStoragePool, *, maxnames: int) -> Recipe[list[str]]:
    """Return names of a pool's volumes. Source: virStoragePoolListVolumes."""
    if maxnames > wire.STORAGE_VOL_LIST_MAX:
        raise UsageError(f"maxnames: {maxnames} is not within 0 to {wire.STORAGE_VOL_LIST_MAX}")
    args = wire.StoragePoolListVolumesArgs(pool=pool, maxnames=maxnames)
    listed = yield wire.STORAGE_POOL_LIST_VOLUMES, args
    names: list[str] = listed.names
    return names


def list_volumes(pool: NonnullStoragePool) -> Recipe[list[NonnullStorageVol]]:
    """Return a pool's volumes, one call for each.

    Sources: virStoragePoolListVolumes, virStorageVolLookupByName.
    """
    counted = yield wire.STORAGE_POOL_NUM_OF_VOLUMES, wire.StoragePoolNumOfVolumesArgs(pool=pool)
    listed = yield from list_storage_vol_names(pool, maxnames=counted.num)
    volumes = []
    for name in listed:
        try:
            found = yield (
                wire.STORAGE_VOL_LOOKUP_BY_NAME,
                wire.StorageVolLookupByNameArgs(pool=pool, name=name),
            )
        except LibvirtError as error:
            if error.code != _NO_STORAGE_VOL:
                raise
        else:
            volumes.append(found.vol)
    return volumes
