"""Bytes, UUIDs and single fields as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.errors import UsageError
from virtproto.model.plain import from_json, to_json
from virtproto.wire import load_contract

CONTRACT = load_contract()
UUID = bytes(range(16))
UUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_a_uuid_has_its_usual_form_and_other_bytes_are_hexadecimal() -> None:
    name = "remote_secret_set_value_args"
    plain = {
        "secret": {"uuid": UUID, "usageType": 0, "usageID": ""},
        "value": b"\xca\xfe",
        "flags": 0,
    }
    shown = to_json(CONTRACT, name, plain)
    assert shown["secret"]["uuid"] == UUID_TEXT
    assert shown["value"] == "cafe"
    assert from_json(CONTRACT, name, shown) == plain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"system_u:object_r:svirt_t:s0", "system_u:object_r:svirt_t:s0"),
        ("Schlüssel".encode(), "Schlüssel"),
        (b"6162", "6162"),
        (b"", ""),
        (b"two\0\0", "hex:74776f0000"),
        (b"a\0b", "hex:610062"),
        (b"a\nb", "hex:610a62"),
        (b"\xff\xfe\0", "hex:fffe00"),
        (b"hex:61", "hex:6865783a3631"),
    ],
)
def test_a_char_array_is_text_where_it_can_be(raw: bytes, shown: str) -> None:
    name = "remote_domain_get_security_label_ret"
    plain = {"label": raw, "enforcing": 1}
    assert to_json(CONTRACT, name, plain) == {"label": shown, "enforcing": 1}
    assert from_json(CONTRACT, name, {"label": shown, "enforcing": 1}) == plain


def test_the_nul_that_ends_a_char_array_is_not_shown() -> None:
    name = "remote_node_get_security_model_ret"
    plain = {"model": b"selinux\0", "doi": b"\0"}
    assert to_json(CONTRACT, name, plain) == {"model": "selinux", "doi": ""}


def test_a_char_array_of_fixed_size_is_filled_up_with_nuls() -> None:
    name = "remote_node_get_info_ret"
    plain = {"model": b"x86_64".ljust(32, b"\0"), "memory": 1}
    assert to_json(CONTRACT, name, plain) == {"model": "x86_64", "memory": 1}
    assert from_json(CONTRACT, name, {"model": "x86_64", "memory": 1}) == plain


@given(st.binary(max_size=12))
def test_char_arrays_come_back_but_for_a_nul_at_the_end(raw: bytes) -> None:
    name = "remote_auth_sasl_step_args"
    shown = to_json(CONTRACT, name, {"data": raw})
    assert from_json(CONTRACT, name, shown)["data"] in (raw, raw.removesuffix(b"\0"))


@pytest.mark.parametrize(
    ("text", "reason"), [("\ud800", "expected text"), ("hex:abc", "expected bytes in hexadecimal")]
)
def test_a_char_array_is_refused_by_path(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^data: {reason}$"):
        from_json(CONTRACT, "remote_auth_sasl_step_args", {"data": text})


def test_lists_unions_and_optionals_are_walked() -> None:
    name = "remote_connect_get_all_domain_stats_ret"
    plain = {
        "retStats": [
            {
                "dom": {"name": "web", "uuid": UUID, "id": 1},
                "params": [{"field": "a", "value": {"type": 7, "value": "x"}}],
            }
        ]
    }
    shown = to_json(CONTRACT, name, plain)
    assert shown["retStats"][0]["dom"]["uuid"] == UUID_TEXT
    assert from_json(CONTRACT, name, shown) == plain
    assert to_json(CONTRACT, "remote_connect_open_args", {"name": None, "flags": 0})["name"] is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_walked_or_refused(value: Any) -> None:
    try:
        from_json(CONTRACT, "remote_domain_suspend_args", {"dom": value})
        from_json(CONTRACT, "remote_connect_get_all_domain_stats_args", {"doms": value})
    except UsageError:
        pass


def test_bytes_are_refused_by_path() -> None:
    with pytest.raises(UsageError, match=r"^doms\[1\]\.uuid: 'x' is not a UUID"):
        from_json(
            CONTRACT,
            "remote_connect_get_all_domain_stats_args",
            {"doms": [{"uuid": UUID_TEXT}, {"uuid": "x"}]},
        )
