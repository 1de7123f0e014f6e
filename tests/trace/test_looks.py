"""What bytes look like that are not libvirt's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproto.trace.looks import is_protected, looks_like


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\0", ", but look like TLS (a handshake)"),
        (b"\x17\x03\x03\0\x10abc", ", but look like TLS (data)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ", but look like SSH"),
        (b"GET / HTTP/1.1\r\n", ", but look like HTTP"),
        (b'{"QMP": {}}', ", but look like QEMU's monitor"),
        (b"\0\0\0\x05hello", ", but look like what a SASL layer protects"),
        (b"\0\0\0\x06hello", ""),
        (b"\x16\x02", ""),
        (b"", ""),
    ],
)
def test_guess_is_by_the_first_bytes(data: bytes, expected: str) -> None:
    assert looks_like(data) == expected
    assert is_protected(data) == ("TLS" in expected)


@given(st.binary(max_size=12))
def test_nothing_of_the_bytes_is_quoted(data: bytes) -> None:
    said = looks_like(data)
    assert said == "" or said.startswith(", but look like ")
