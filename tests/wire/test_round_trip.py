"""Every generated class against the reference codec: the same bytes, and the same values back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.messages import CLASSES, CONTRACT, NAMES, REFERENCE, build
from tests.wire.values import strategy


def test_every_struct_and_union_has_a_class() -> None:
    wanted = {name for name, row in CONTRACT.types.items() if row[0] in ("struct", "union")}
    assert set(NAMES) == wanted
    assert len(NAMES) == 755


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_both_codecs_agree(name: str, data: st.DataObject) -> None:
    plain: Any = data.draw(strategy(name))
    message = build(name, plain)
    packed = REFERENCE.encode(name, plain)
    assert message.pack() == packed
    assert message.to_plain() == plain
    unpacked = CLASSES[name].unpack(packed, exact=True)
    assert unpacked == message
    assert unpacked.to_plain() == plain
    assert REFERENCE.decode(name, packed, exact=True) == plain
    assert CLASSES[name].unpack(memoryview(packed + b"more")) == message
