"""Argument checks and the two forms of a UUID."""

from __future__ import annotations

import sys
import uuid
from enum import IntFlag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import UsageError
from virtproto.model.refs import (
    check_signed,
    check_text,
    check_timeout,
    check_unsigned,
    pack_flags,
    uuid_to_raw,
    uuid_to_text,
)


@given(st.uuids())
def test_both_forms_agree_with_the_standard_library(value: uuid.UUID) -> None:
    assert uuid_to_text(value.bytes) == str(value)
    for text in (str(value), str(value).upper(), value.hex, str(value).replace("-", " ")):
        assert uuid_to_raw("uuid", text) == value.bytes
    assert uuid_to_raw("uuid", value.bytes) == value.bytes
    assert uuid_to_raw("uuid", value) == value.bytes


@pytest.mark.parametrize(
    "value",
    [
        b"short",
        b"x" * 17,
        "",
        "6695eb01",
        "g" * 32,
        "0" * 31,
        "0" * 33,
        "0" * 31 + "\n",
        "\u0660" * 32,
        None,
        5,
        bytearray(16),
    ],
)
def test_what_is_no_uuid_is_refused_by_name(value: object) -> None:
    with pytest.raises(UsageError, match=r"^uuid: "):
        uuid_to_raw("uuid", value)  # type: ignore[arg-type]


def test_without_the_uuid_module_nothing_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "uuid")
    with pytest.raises(UsageError, match=r"^domain: expected 16 bytes.* not int$"):
        uuid_to_raw("domain", 5)  # type: ignore[arg-type]
    assert "uuid" not in sys.modules


@pytest.mark.parametrize("value", [None, 3, b"x", "a\0b"])
def test_text_must_be_text(value: object) -> None:
    with pytest.raises(UsageError, match=r"^xml: "):
        check_text("xml", value)  # type: ignore[arg-type]


def test_text_may_be_empty() -> None:
    check_text("xml", "")


@pytest.mark.parametrize("value", [-1, 2**32, None, "0", 1.0])
def test_unsigned_numbers_have_a_range(value: object) -> None:
    with pytest.raises(UsageError, match=r"^flags: "):
        check_unsigned("flags", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-(2**31) - 1, 2**31, None, "0", 1.0])
def test_signed_numbers_have_a_range(value: object) -> None:
    with pytest.raises(UsageError, match=r"^domain_id: "):
        check_signed("domain_id", value)  # type: ignore[arg-type]


def test_the_ends_of_the_ranges_are_within() -> None:
    check_unsigned("flags", 0)
    check_unsigned("flags", 2**32 - 1)
    check_signed("domain_id", -(2**31))
    check_signed("domain_id", 2**31 - 1)


def test_a_timeout_is_seconds_or_none() -> None:
    for value in (None, 1, 2.5, 1e-9, float("inf")):
        check_timeout("timeout_s", value)
    for wrong in ("1", b"1", float("nan"), 0, -0.0, -1, float("-inf"), 10**400):
        with pytest.raises(UsageError, match=r"^timeout_s: "):
            check_timeout("timeout_s", wrong)  # type: ignore[arg-type]


def test_flags_are_packed_as_one_word() -> None:
    class Flags(IntFlag):
        A = 1
        B = 4

    assert pack_flags(Flags.A | Flags.B) == b"\0\0\0\5"
    assert pack_flags(0) == bytes(4)
    with pytest.raises(UsageError, match=r"^flags: "):
        pack_flags(-1)
