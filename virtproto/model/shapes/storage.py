"""What storage pools and volumes answer, as records."""

from __future__ import annotations

from virtproto.constants import member
from virtproto.model.records.storage import StoragePoolInfo, StorageVolInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.storage_pool import StoragePoolGetInfoRet
    from virtproto.wire.remote.storage_vol import StorageVolGetInfoFlagsRet, StorageVolGetInfoRet

__all__ = ["pool_info", "vol_info"]


def pool_info(ret: StoragePoolGetInfoRet) -> StoragePoolInfo:
    """Return a pool's state and sizes."""
    return StoragePoolInfo(
        state=member("StoragePoolState", ret.state),
        capacity_bytes=ret.capacity,
        allocation_bytes=ret.allocation,
        available_bytes=ret.available,
    )


def vol_info(ret: StorageVolGetInfoRet | StorageVolGetInfoFlagsRet) -> StorageVolInfo:
    """Return a volume's kind and sizes."""
    return StorageVolInfo(
        type=member("StorageVolType", ret.type),
        capacity_bytes=ret.capacity,
        allocation_bytes=ret.allocation,
    )
