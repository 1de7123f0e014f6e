"""Arrays that are read in bulk give what reading one by one gives."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.messages import CLASSES, build
from tests.wire.values import strategy
from virtproto.errors import DecodeError, EncodeError
from virtproto.wire import remote
from virtproto.wire.remote import types
from virtproto.xdr.runtime import RecordLayouts, unpack_messages

IN_BULK = sorted(name for name, cls in CLASSES.items() if hasattr(cls, "_unpack_many"))

lengths = st.sampled_from([0, 1, 2, 3, 4, 5, 31, 255, 256, 257, 258, 1000])
names = st.one_of(
    st.binary(max_size=12),
    lengths.map(lambda length: b"n" * length),
    lengths.map(lambda length: b"\xff" * length),
).map(lambda raw: raw.replace(b"\0", b"-").decode("utf-8", "surrogateescape"))


def test_there_are_records_and_fixed_ones() -> None:
    assert {"remote_nonnull_domain", "remote_vcpu_info", "admin_nonnull_server"} <= set(IN_BULK)
    assert "remote_nonnull_secret" not in IN_BULK


@pytest.mark.parametrize("name", IN_BULK)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_in_bulk_and_one_by_one_are_the_same(name: str, data: st.DataObject) -> None:
    cls: Any = CLASSES[name]
    plain = data.draw(st.lists(strategy(name), max_size=8))
    payload = b"".join(build(name, item).pack() for item in plain) + data.draw(st.binary())
    expected = unpack_messages(cls._unpack, payload, 0, len(plain))
    assert cls._unpack_many(payload, 0, len(plain)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, st.binary(min_size=16, max_size=16)), max_size=12))
def test_names_of_any_length(domains: list[tuple[str, bytes]]) -> None:
    doms = [types.NonnullDomain(name, uuid, i) for i, (name, uuid) in enumerate(domains)]
    message = remote.ConnectListAllDomainsRet(doms, len(doms))
    assert remote.ConnectListAllDomainsRet.unpack(message.pack(), exact=True) == message


def test_nothing_is_read_beyond_the_last_record() -> None:
    payload = types.NonnullDomain("vm", bytes(16), 1).pack()
    items, end = types.NonnullDomain._unpack_many(payload, 0, 1)
    assert (items[0].name, end) == ("vm", len(payload))


def test_layouts_kept_are_bounded() -> None:
    layouts = RecordLayouts("16si", 4194304, "REMOTE_STRING_MAX")
    for length in range(1000):
        assert layouts[length][1] == (length + 3) // 4 * 4 + 24
    assert sorted(layouts) == list(range(257))


def test_a_hostile_length_makes_no_layout() -> None:
    layouts = RecordLayouts("16si", 4194304, "REMOTE_STRING_MAX")
    with pytest.raises(DecodeError, match=r"4294967295 .* 4194304 \(REMOTE_STRING_MAX\)"):
        layouts[2**32 - 1]
    assert not layouts


def test_count_over_the_limit() -> None:
    payload = pack(">I", 16385) + bytes(40)
    with pytest.raises(DecodeError, match=r"16385.*16384"):
        remote.ConnectListAllDomainsRet.unpack(payload)
    doms = [types.NonnullDomain("", bytes(16), 1)] * 16385
    with pytest.raises(EncodeError, match=r"16385.*16384"):
        remote.ConnectListAllDomainsRet(doms, 0).pack()


def test_the_limit_itself_passes() -> None:
    doms = [types.NonnullDomain("", bytes(16), 1)] * 16384
    message = remote.ConnectListAllDomainsRet(doms, 0)
    assert remote.ConnectListAllDomainsRet.unpack(message.pack()) == message
