"""The parts of the hypervisor's version, which travels as one number."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.connect import ConnectGetVersionRet

__all__ = ["major", "micro", "minor"]


def major(ret: ConnectGetVersionRet) -> int:
    """Return what counts millions."""
    return ret.hv_ver // 1000000


def minor(ret: ConnectGetVersionRet) -> int:
    """Return what counts thousands."""
    return ret.hv_ver // 1000 % 1000


def micro(ret: ConnectGetVersionRet) -> int:
    """Return what is left of thousands."""
    return ret.hv_ver % 1000
