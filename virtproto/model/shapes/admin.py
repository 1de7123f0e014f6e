"""What a daemon's administration answers, as plain values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.admin import ConnectGetLoggingFiltersRet

__all__ = ["logging_filters"]


def logging_filters(ret: ConnectGetLoggingFiltersRet) -> str:
    """Return the filters; no text at all means that there are none."""
    return ret.filters or ""
