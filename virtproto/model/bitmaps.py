"""CPU maps: sets of CPU numbers on this side, strings of bits on the wire.

Responsible for that one convention: a map goes in as any iterable of CPU numbers, or as a sequence
of booleans, and comes out as a frozenset of numbers. On the wire CPU n is bit n % 8 of byte n // 8.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    CpuMap = Iterable[int] | Iterable[bool]

__all__ = ["pack_cpumap", "unpack_cpumap", "unpack_cpumaps"]


def pack_cpumap(parameter: str, cpus: CpuMap, limit: int) -> bytes:
    """Return CPU numbers, or one boolean for each CPU from 0 on, as a bitmap.

    ``limit`` is the most bytes the wire carries. Raises UsageError or ArgumentTypeError, naming
    ``parameter``.
    """
    if isinstance(cpus, str | bytes | bytearray):
        raise ArgumentTypeError(
            f"{parameter}: expected CPU numbers or booleans, not {type(cpus).__name__}"
        )
    try:
        numbers = list(cpus)
    except TypeError:
        raise ArgumentTypeError(
            f"{parameter}: expected CPU numbers or booleans, not {type(cpus).__name__}"
        ) from None
    if numbers and all(isinstance(number, bool) for number in numbers):
        # A list of booleans says how long the map is, too.
        size = (len(numbers) + 7) // 8
        numbers = [number for number, wanted in enumerate(numbers) if wanted]
    else:
        size = 0
    _check_numbers(parameter, numbers, limit)
    packed = bytearray(max(size, max(numbers, default=-1) // 8 + 1))
    if len(packed) > limit:
        raise UsageError(f"{parameter}: a CPU map holds at most {limit * 8} CPUs")
    for number in numbers:
        packed[number // 8] |= 1 << number % 8
    return bytes(packed)


def _check_numbers(parameter: str, numbers: list[int], limit: int) -> None:
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool):
            raise ArgumentTypeError(
                f"{parameter}: expected CPU numbers, or booleans only, not {number!r}"
            )
        if not 0 <= number < limit * 8:
            raise UsageError(f"{parameter}: {number} is no CPU number from 0 to {limit * 8 - 1}")


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
