"""What this machine adds to a URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproto.errors import URIError
from virtproto.transport.resolve import resolve


def test_a_named_socket_needs_nothing_of_the_machine() -> None:
    uri, endpoint = resolve("test:///default?socket=/s", readonly=True)
    assert uri is not None
    assert uri.driver == "test"
    assert endpoint.path == "/s"


def test_the_environment_and_the_user_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    uri, endpoint = resolve(None, readonly=False)
    assert uri is None
    assert endpoint.path == f"{tmp_path}/libvirt/libvirt-sock"
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "libvirt" / "virtqemud-sock").touch()
    assert resolve(None, readonly=False)[1].path == f"{tmp_path}/libvirt/virtqemud-sock"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "smoke")
    with pytest.raises(URIError):
        resolve(None, readonly=False)
