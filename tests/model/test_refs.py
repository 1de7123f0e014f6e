"""Argument checks and the two forms of a UUID."""

from __future__ import annotations

import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import UsageError
from virtproto.model.refs import check_timeout, shown_seconds, uuid_to_raw, uuid_to_text


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


def test_a_long_text_is_not_shown_whole() -> None:
    with pytest.raises(UsageError, match=r"^uuid: 'x{64}'\.\.\. is not a UUID") as caught:
        uuid_to_raw("uuid", "x" * 4_000_000)
    assert len(str(caught.value)) < 200


def test_without_the_uuid_module_nothing_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "uuid")
    with pytest.raises(UsageError, match=r"^domain: expected 16 bytes.* not int$"):
        uuid_to_raw("domain", 5)  # type: ignore[arg-type]
    assert "uuid" not in sys.modules


def test_a_timeout_is_seconds_or_none() -> None:
    for value in (None, 1, 2.5, 1e-9, float("inf")):
        check_timeout("timeout_s", value)
    for wrong in ("1", b"1", float("nan"), 0, -0.0, -1, float("-inf"), 10**400):
        with pytest.raises(UsageError, match=r"^timeout_s: "):
            check_timeout("timeout_s", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (10, "10"),
        (0.05, "0.05"),
        (4.999871, "5"),
        (2.51, "2.51"),
        (1234.5, "1234"),
        (86400, "86400"),
    ],
)
def test_seconds_are_shown_in_few_digits(seconds: float, shown: str) -> None:
    assert shown_seconds(seconds) == shown
