"""The volumes of a pool, one call each: the way that there was before they came in one list.

Responsible for leaving out what vanishes between two calls.
"""

from __future__ import annotations

from virtproto.errors import LibvirtError
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullStoragePool, NonnullStorageVol

__all__ = ["list_volumes"]

# virErrorNumber VIR_ERR_NO_STORAGE_VOL.
_NO_STORAGE_VOL = 50


def list_volumes(pool: NonnullStoragePool) -> Recipe[list[NonnullStorageVol]]:
    """Return a pool's volumes. Sources: virStoragePoolListVolumes, virStorageVolLookupByName."""
    counted = yield wire.STORAGE_POOL_NUM_OF_VOLUMES, wire.StoragePoolNumOfVolumesArgs(pool=pool)
    listed = yield (
        wire.STORAGE_POOL_LIST_VOLUMES,
        wire.StoragePoolListVolumesArgs(pool=pool, maxnames=counted.num),
    )
    volumes = []
    for name in listed.names:
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
