"""Damaged payloads: the fast codec refuses with DecodeError what the reference codec refuses, and
agrees with it on the value of what both accept.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.messages import CLASSES, NAMES, REFERENCE
from tests.wire.values import strategy
from virtproto.errors import DecodeError

# Length words that no length is, or that only a hostile peer writes.
LENGTHS = (3, 27, 2**31, 2**32 - 1)
# Up to this size a payload is cut everywhere, else at as many places.
CUTS = 48
FLIPS = 24
WORDS = 12


def damaged(payload: bytes, random: Random) -> Iterator[bytes]:
    """Yield the payload cut, with flipped bits, and with words replaced by hostile lengths."""
    size = len(payload)
    places = range(size) if size <= CUTS else random.sample(range(size), CUTS)
    for place in places:
        yield payload[:place]
    for place in random.sample(range(size), min(size, FLIPS)):
        yield (
            payload[:place]
            + bytes([payload[place] ^ 1 << random.randrange(8)])
            + payload[place + 1 :]
        )
    words = range(0, size - 3, 4)
    for place in words if len(words) <= WORDS else random.sample(words, WORDS):
        for length in LENGTHS:
            yield payload[:place] + pack(">I", length) + payload[place + 4 :]


def outcome(decode: Any, payload: bytes) -> str:
    """Return the plain tree as text (so that NaN equals NaN), or "refused"."""
    try:
        return repr(decode(payload))
    except DecodeError:
        return "refused"


def compare(name: str, payload: bytes) -> None:
    fast = outcome(lambda data: CLASSES[name].unpack(data).to_plain(), payload)
    assert fast == outcome(lambda data: REFERENCE.decode(name, data), payload), payload.hex()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_codecs_agree_on_damage(name: str, data: st.DataObject) -> None:
    payload = REFERENCE.encode(name, data.draw(strategy(name)))
    random = data.draw(st.randoms(use_true_random=False))
    for broken in damaged(payload, random):
        compare(name, broken)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_every_cut_is_refused(name: str, data: st.DataObject) -> None:
    """No byte of a payload is spare: cut anywhere at all, it is refused."""
    payload = REFERENCE.encode(name, data.draw(strategy(name)))
    for size in range(len(payload)):
        with pytest.raises(DecodeError):
            CLASSES[name].unpack(payload[:size])


@pytest.mark.parametrize("name", NAMES)
def test_codecs_agree_on_noise(name: str) -> None:
    random = Random(name)
    for size in (0, 4, 24, 64, 256):
        compare(name, random.randbytes(size))
        compare(name, bytes(size))
        compare(
            name, bytes(random.choice((0, 0, 0, 1, 2, 7)) if i & 3 == 3 else 0 for i in range(size))
        )


LISTS = [
    "remote_connect_list_all_domains_ret",
    "remote_connect_list_all_networks_ret",
    "remote_domain_get_vcpus_ret",
    "remote_domain_get_fsinfo_ret",
    "remote_connect_get_all_domain_stats_ret",
    "remote_connect_list_defined_domains_ret",
]


@pytest.mark.parametrize("name", LISTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_codecs_agree_on_damaged_lists(name: str, data: st.DataObject) -> None:
    payload = REFERENCE.encode(name, data.draw(strategy(name)))
    for broken in damaged(payload, data.draw(st.randoms(use_true_random=False))):
        compare(name, broken)
    for place in range(0, len(payload), 4):
        for length in (*LENGTHS, 4194304, 4194305, 255, 256, 257):
            compare(name, payload[:place] + pack(">I", length) + payload[place + 4 :])
