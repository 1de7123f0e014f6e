"""CPU maps: sets of CPU numbers on this side, strings of bits on the wire.

Responsible for that one convention: a map goes in as any iterable of CPU numbers, or as a sequence
of booleans, and comes out as a frozenset of numbers. On the wire CPU n is bit n % 8 of byte n // 8.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import listed, shown_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    CpuMap = Iterable[int] | Iterable[bool]

__all__ = ["pack_cpumap", "unpack_cpumap", "unpack_cpumaps"]


def pack_cpumap(parameter: str, cpus: CpuMap, limit: int) -> bytes:
    """Return CPU numbers, or one boolean for each CPU from 0 on, as a bitmap.

    Zeros and ones that are no booleans are CPU numbers. ``limit`` is the most bytes the wire
    carries. Raises UsageError or ArgumentTypeError, naming ``parameter``.
    """
    numbers = listed(parameter, cpus, "CPU numbers or booleans", limit * 8)
    if numbers and all(isinstance(number, bool) for number in numbers):
        # A list of booleans says how long the map is, too.
        size = (len(numbers) + 7) // 8
        numbers = [number for number, wanted in enumerate(numbers) if wanted]
    else:
        size = 0
    _check_numbers(parameter, numbers, limit)
    packed = bytearray(max(size, max(numbers, default=-1) // 8 + 1))
    for number in numbers:
        packed[number // 8] |= 1 << number % 8
    return bytes(packed)


def _check_numbers(parameter: str, numbers: list[int], limit: int) -> None:
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool):
            raise ArgumentTypeError(
                f"{parameter}: expected CPU numbers, or booleans only, not all of them "
                f"{type(number).__name__}"
            )
        if not 0 <= number < limit * 8:
            shown = shown_number(number)
            raise UsageError(f"{parameter}: {shown} is no CPU number from 0 to {limit * 8 - 1}")


def unpack_cpumap(packed: bytes) -> frozenset[int]:
    """Return the numbers of the CPUs whose bit is set."""
    bits = int.from_bytes(packed, "little")
    numbers = []
    while bits:
        lowest = bits & -bits
        numbers.append(lowest.bit_length() - 1)
        bits ^= lowest
    return frozenset(numbers)


def unpack_cpumaps(packed: bytes, size: int, count: int) -> list[frozenset[int]]:
    """Return ``count`` maps of ``size`` bytes each that stand one after another.

    What is missing at the end reads as no CPU: daemons may leave the tail out.
    """
    return [unpack_cpumap(packed[size * n : size * (n + 1)]) for n in range(count)]
