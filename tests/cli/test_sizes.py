"""Bytes and times, read and written."""

from __future__ import annotations

import pytest

from virtproto.cli.sizes import read_size, show_size, show_time
from virtproto.errors import UsageError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("512B", 512),
        ("10M", 10 << 20),
        ("10mib", 10 << 20),
        ("10MB", 10_000_000),
        ("3T", 3 << 40),
        ("1e", 1 << 60),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert read_size("--offset", text) == count


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "M", "1 X", "10Mi", "٣"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--offset: expected bytes"):
        read_size("--offset", text)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (99.97 * 1024, "100 KiB"),
        (1023.7 * 1024, "1.0 MiB"),
        (256 << 20, "256 MiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_sizes_are_shown(count: float, shown: str) -> None:
    assert show_size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (10805, "3:00:05")]
)
def test_times_are_shown(seconds: float, shown: str) -> None:
    assert show_time(seconds) == shown
