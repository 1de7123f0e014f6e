"""Numbers of bytes and times as people write and read them.

Responsible for units. Must not know what is measured.
"""

from __future__ import annotations

import re

from virtproto.errors import UsageError

__all__ = ["read_size", "show_size", "show_time"]

_UNITS = "KMGTPE"
_WRITTEN = re.compile(r"(\d+)(?:([KMGTPE])(i?B)?|B)?", re.IGNORECASE | re.ASCII)


def read_size(parameter: str, text: str) -> int:
    """Return bytes: "4096", "10M" and "10MiB" (1024s), "10MB" (1000s). Raises UsageError."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{parameter}: expected bytes such as 4096, 10M or 10MiB, not {text!r}")
    number, unit, suffix = found.groups()
    step = 1000 if (suffix or "").upper() == "B" else 1024
    power = _UNITS.index(unit.upper()) + 1 if unit else 0
    return int(number) * int(step**power)


def show_size(count: float) -> str:
    """Return bytes in three figures or so: "731 B", "1.5 KiB", "256 MiB"."""
    if count < 1024:
        return f"{count:.0f} B"
    power = 0
    while count >= 1023.5 and power < len(_UNITS):
        count /= 1024
        power += 1
    return f"{count:.{1 if count < 99.95 else 0}f} {_UNITS[power - 1]}iB"


def show_time(seconds: float) -> str:
    """Return seconds as a clock shows them: "0:07", "12:30", "3:00:05"."""
    whole = round(seconds)
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
