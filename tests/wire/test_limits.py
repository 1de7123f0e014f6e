"""Limits: each length and count word of each class is held against the limit of the contract."""

from __future__ import annotations

import re
from struct import pack
from typing import Any

import pytest

from tests.wire.messages import CLASSES, CONTRACT, NAMES, REFERENCE, TYPED_PARAMS
from virtproto.errors import DecodeError
from virtproto.xdr.contract import Member, Struct, Union

HUGE = 2**32 - 1


def full(member: Member) -> Any:
    """Return a plain value in which everything is there once: optionals, one element in arrays."""
    member = CONTRACT.resolve(member)
    element = Member("", member.type, "scalar", None)
    if member.shape == "optional":
        return full(element)
    if member.type == "string":
        return "text"
    if member.type in ("opaque", "char") and member.shape != "scalar":
        return bytes(member.limit or 0) if member.shape == "fixed" else b"data"
    if member.shape == "variable":
        return [] if member.type in TYPED_PARAMS else [full(element)]
    kind = CONTRACT.type(member.type) if member.type in CONTRACT.types else None
    if isinstance(kind, Struct):
        return {inner.name: full(inner) for inner in kind.members}
    if isinstance(kind, Union):
        case, arm = list(kind.arms.items())[-1]
        return {"type": case, "value": full(arm)}
    return 0


def limits(member: Member) -> set[int]:
    """Return the limits of all arrays below a declaration."""
    member = CONTRACT.resolve(member)
    own = {member.limit} if member.shape == "variable" and member.limit else set()
    kind = CONTRACT.type(member.type) if member.type in CONTRACT.types else None
    if isinstance(kind, Struct):
        return own.union(*(limits(inner) for inner in kind.members))
    if isinstance(kind, Member):
        return own | limits(kind)
    return own


@pytest.mark.parametrize("name", NAMES)
def test_each_length_has_its_limit(name: str) -> None:
    member = Member("", name, "scalar", None)
    payload = REFERENCE.encode(name, full(member))
    for field in REFERENCE.annotate(name, payload).fields:
        sized = re.fullmatch(r"(string|opaque)<(\d+)>", field.type)
        if sized is None and field.type != "count":
            continue
        length = int(sized[2]) + 1 if sized else HUGE
        hostile = payload[: field.offset] + pack(">I", length) + payload[field.offset + 4 :]
        with pytest.raises(DecodeError) as caught:
            CLASSES[name]._unpack(hostile, 0)
        numbers = [int(number) for number in re.findall(r"\d+", caught.value.reason)]
        assert length in numbers, (field, caught.value)
        wanted = {int(sized[2])} if sized else limits(member)
        assert wanted & set(numbers), (field, caught.value)
