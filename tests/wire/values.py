"""Strategies for plain trees of any type of the contract, leaning to the edges of its types."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.wire.messages import CONTRACT
from virtproto.xdr.contract import Member, Struct, Union

_RANGES = {
    "char": (-(2**7), 2**7 - 1),
    "unsigned char": (0, 2**8 - 1),
    "short": (-(2**15), 2**15 - 1),
    "unsigned short": (0, 2**16 - 1),
    "int": (-(2**31), 2**31 - 1),
    "unsigned int": (0, 2**32 - 1),
    "hyper": (-(2**63), 2**63 - 1),
    "unsigned hyper": (0, 2**64 - 1),
}
_SHORT = 9
_MEMBERS = 5


def _text(limit: int) -> st.SearchStrategy[str]:
    """Return strings as they come from the wire: any bytes but NUL, those that are no UTF-8 too."""
    raw = st.binary(max_size=min(limit, _SHORT)).map(lambda b: b.replace(b"\0", b"\x01"))
    plain = st.sampled_from(["", "a", "abc", "abcd", "test", "h\u00e9", "\udc80", "\udcff\udcfe!"])
    return st.one_of(plain, raw.map(lambda b: b.decode("utf-8", "surrogateescape")))


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    edges = st.sampled_from([low, high, 0, 1, high - 1])
    return st.one_of(edges, st.integers(low, high))


@cache
def strategy(name: str) -> st.SearchStrategy[Any]:
    """Return the plain trees of a struct or union."""
    kind = CONTRACT.type(name)
    if isinstance(kind, Union):
        arms = [
            st.fixed_dictionaries({"type": st.just(case), "value": _declared(arm)})
            for case, arm in kind.arms.items()
        ]
        return st.one_of(arms)
    assert isinstance(kind, Struct)
    return st.fixed_dictionaries({m.name: _declared(m) for m in kind.members})


def _declared(member: Member) -> st.SearchStrategy[Any]:
    member = CONTRACT.resolve(member)
    limit = member.limit or 0
    if member.shape == "optional":
        return st.none() | _declared(Member("", member.type, "scalar", None))
    if member.type == "string":
        return _text(limit)
    if member.shape == "scalar":
        return _scalar(member.type)
    if member.type in ("opaque", "char"):
        if member.shape == "fixed":
            return st.binary(min_size=limit, max_size=limit)
        return st.binary(max_size=min(limit, _SHORT))
    element = _declared(Member("", member.type, "scalar", None))
    if member.shape == "fixed":
        return st.lists(element, min_size=limit, max_size=limit)
    return st.lists(element, max_size=min(limit, _MEMBERS))


def _scalar(name: str) -> st.SearchStrategy[Any]:
    if name in _RANGES:
        return _integers(*_RANGES[name])
    if name == "double":
        return st.floats(allow_nan=False)
    if isinstance(CONTRACT.type(name), Struct | Union):
        return strategy(name)
    return _integers(*_RANGES["int"])  # an enum lets any number pass
