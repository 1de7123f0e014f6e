"""The straightforward decoder on xdrlib3: what someone writes on the first afternoon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import xdrlib3

_UNPACKERS: dict[int, Callable[[Any], Any]] = {
    1: lambda unpacker: unpacker.unpack_int(),
    2: lambda unpacker: unpacker.unpack_uint(),
    3: lambda unpacker: unpacker.unpack_hyper(),
    4: lambda unpacker: unpacker.unpack_uhyper(),
    5: lambda unpacker: unpacker.unpack_double(),
    6: lambda unpacker: bool(unpacker.unpack_int()),
    7: lambda unpacker: unpacker.unpack_string().decode(),
}


def _domain(unpacker: Any) -> tuple[str, bytes, int]:
    return unpacker.unpack_string().decode(), unpacker.unpack_fopaque(16), unpacker.unpack_int()


def decode_domain_list(payload: bytes) -> list[tuple[str, bytes, int]]:
    """Decode a CONNECT_LIST_ALL_DOMAINS reply into tuples."""
    unpacker = xdrlib3.Unpacker(payload)
    return [_domain(unpacker) for _ in range(unpacker.unpack_uint())]


def decode_stats(payload: bytes) -> list[tuple[tuple[str, bytes, int], dict[str, Any]]]:
    """Decode a CONNECT_GET_ALL_DOMAIN_STATS reply into (domain, dict) pairs."""
    unpacker = xdrlib3.Unpacker(payload)
    records = []
    for _ in range(unpacker.unpack_uint()):
        domain = _domain(unpacker)
        params = {}
        for _ in range(unpacker.unpack_uint()):
            name = unpacker.unpack_string().decode()
            params[name] = _UNPACKERS[unpacker.unpack_int()](unpacker)
        records.append((domain, params))
    return records
