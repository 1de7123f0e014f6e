"""Memory: what unpacking takes at its peak is a small multiple of the payload, whatever it says.

The bound is MULTIPLE times the payload and CONSTANT bytes more. The densest valid payloads are
lists of records with next to nothing in them: an object, its field, its place for 4 bytes.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest

from tests.wire.messages import CLASSES, CONTRACT, NAMES, REFERENCE
from virtproto.errors import DecodeError
from virtproto.xdr.contract import Member, Struct, Union
from virtproto.xdr.message import Message

MULTIPLE = 16
CONSTANT = 16 * 1024
ELEMENTS = 600
# What fills an element: nothing, or the smallest that Python makes a new object for.
FILLINGS: tuple[tuple[str, int], ...] = (("", 0), ("ab", 2**31 - 1))
HOSTILE = (2**31 - 1, 2**31, 2**32 - 1)


def dense(member: Member, filling: tuple[str, int], room: int = ELEMENTS) -> Any:
    """Return the plain value with the most elements, and little in each, up to ``room``."""
    member = CONTRACT.resolve(member)
    if member.shape == "optional":
        return None
    if member.type == "string":
        return filling[0]
    if member.shape == "scalar":
        return _dense_scalar(member.type, filling, room)
    count = member.limit or 0
    if member.shape == "variable":
        count = min(count, room)
    if member.type in ("opaque", "char"):
        return bytes(count)
    element = dense(Member("", member.type, "scalar", None), filling, 0)
    return [element] * count


def _dense_scalar(name: str, filling: tuple[str, int], room: int) -> Any:
    if name not in CONTRACT.types:
        return min(filling[1], 127) if "char" in name else min(filling[1], 2**15)
    kind = CONTRACT.type(name)
    if isinstance(kind, Union):
        case, arm = next(iter(kind.arms.items()))
        return {"type": case, "value": dense(arm, filling, room)}
    if isinstance(kind, Struct):
        return {m.name: dense(m, filling, room) for m in kind.members}
    return 0


def hostile(payload: bytes) -> Iterator[bytes]:
    """Yield payloads that say they hold more than they do."""
    for place in range(0, min(len(payload), 64), 4):
        for count in HOSTILE:
            yield payload[:place] + pack(">I", count) + payload[place + 4 :]
    for count in (64, 1024, 16384, 65536, 262144):
        yield pack(">I", count) * (len(payload) // 4)


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_bounded(name: str) -> None:
    member = Member("", name, "scalar", None)
    payloads = [REFERENCE.encode(name, dense(member, filling)) for filling in FILLINGS]
    cases = [*payloads, *hostile(payloads[0])]
    for case in cases:  # what is loaded or learned once must not count
        unpacked(name, case)
    tracemalloc.start()
    try:
        for case in cases:
            taken = peak(name, case)
            assert taken <= MULTIPLE * len(case) + CONSTANT, (taken, len(case), case[:64].hex())
    finally:
        tracemalloc.stop()


def unpacked(name: str, payload: bytes) -> Message | None:
    try:
        return CLASSES[name].unpack(payload)
    except DecodeError:
        return None


def peak(name: str, payload: bytes) -> int:
    """Return how much more memory than before there was at the worst moment of unpacking."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    result = unpacked(name, payload)
    after = tracemalloc.get_traced_memory()[1]
    del result
    return after - before
