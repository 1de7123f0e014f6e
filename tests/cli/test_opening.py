"""Who may be asked, and for how long, when a command opens a connection."""

from __future__ import annotations

from typing import Any

import pytest

from virtproto.cli import opening
from virtproto.cli.asking import ask
from virtproto.errors import URIError


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What connections were asked to be opened with; none is."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr("virtproto.sync.open", lambda uri, **how: made.append(how))
    return made


@pytest.mark.parametrize(
    ("uri", "timeout_s"),
    [
        ("qemu+ssh://host/system", 120.0),
        ("qemu+ssh://host/system?no_tty=1", 10.0),
        ("qemu+libssh://root@host/system", 10.0),
        ("qemu+tcp://host/system", 10.0),
        ("qemu+ext:///system?command=/bin/cat", 10.0),
    ],
)
def test_ssh_may_wait_for_who_sits_at_the_terminal(
    uri: str, timeout_s: float, opened: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TERMINAL", "/dev/null")
    opening.open_connection(uri)
    assert opened == [{"timeout_s": timeout_s, "credentials": ask, "autostart": False}]


def test_without_a_terminal_nobody_is_waited_for(
    opened: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TERMINAL", "/dev/null/none")
    opening.open_connection("qemu+ssh://host/system")
    assert opened == [{"timeout_s": 10.0, "credentials": None, "autostart": False}]


def test_a_bad_uri_is_found_out_first(
    opened: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TERMINAL", "/dev/null")
    with pytest.raises(URIError, match="carrier-pigeon"):
        opening.open_connection("qemu+carrier-pigeon://host/system")
    assert not opened
