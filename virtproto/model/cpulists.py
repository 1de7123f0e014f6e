"""Sets of CPU numbers as libvirt writes them in text: "0-3,5".

Responsible for that notation in both directions. What a caller gives, and how maps of bits look,
is the business of ``virtproto.model.bitmaps``.
"""

from __future__ import annotations

from virtproto.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["format_cpulist", "parse_cpulist"]

# More CPUs than any map on the wire can hold; a range beyond would only fill the memory.
_CPUS_MAX = 1 << 17


def format_cpulist(cpus: Iterable[int]) -> str:
    """Return CPU numbers as ranges, ascending; "" for none."""
    ranges: list[list[int]] = []
    for number in sorted(set(cpus)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def parse_cpulist(text: str) -> frozenset[int]:
    """Return the CPUs that a daemon wrote down; "^" before a number takes it out again.

    Raises DecodeError for what is no such list.
    """
    numbers: set[int] = set()
    for part in text.split(",") if text.strip() else ():
        word = part.strip()
        low, dash, high = word.removeprefix("^").partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise DecodeError(f"{part!r:.40} is no CPU number or range of them")
        first, last = int(low), int(high or low)
        if last >= _CPUS_MAX:
            raise DecodeError(f"{part!r:.40} goes beyond {_CPUS_MAX} CPUs")
        if word.startswith("^"):
            numbers.difference_update(range(first, last + 1))
        else:
            numbers.update(range(first, last + 1))
    return frozenset(numbers)
