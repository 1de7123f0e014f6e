"""Turning a part of a file into a hole, which Python's os module has no function for.

Responsible for fallocate(2) with the two flags that do it. Must not know what the file is.
"""

from __future__ import annotations

import ctypes

__all__ = ["punch_hole"]

# FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE, without which the first is refused.
_PUNCH = 0x02 | 0x01


def punch_hole(fd: int, start: int, length: int) -> bool:
    """Make ``length`` bytes from ``start`` on a hole, which reads as zeros.

    False where the file system, or the C library, does not do it; nothing has changed then.
    """
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    except (AttributeError, OSError):
        return False
    fallocate.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64
    return bool(fallocate(fd, _PUNCH, start, length) == 0)
