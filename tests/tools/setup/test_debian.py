"""Debian packages: what is said where they cannot be had, and that no service gets started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setup import debian
from setup.progress import SetupError


@pytest.fixture
def os_release(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the machine says it is; a test may change it."""
    facts = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    monkeypatch.setattr(debian, "_os_release", lambda: facts)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return facts


def test_debian_as_root_can(os_release: dict[str, str]) -> None:
    assert debian.why_not() is None


def test_other_systems_cannot(os_release: dict[str, str]) -> None:
    os_release["ID"] = "fedora"
    assert debian.why_not() == "this is not Debian"


def test_other_users_cannot(os_release: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(debian, "_is_installed", lambda name: name == "here")
    with pytest.raises(SetupError, match=r"^missing cannot be installed: this is not root$"):
        debian.install(["here", "missing"])
    debian.install(["here"])


def test_qemu_is_wanted_only_where_its_release_is_at_home(os_release: dict[str, str]) -> None:
    assert "qemu-system-x86" in debian.lab_packages()
    os_release["VERSION_CODENAME"] = "trixie"
    assert "qemu-system-x86" not in debian.lab_packages()
    assert "tshark" in debian.lab_packages()


def test_services_are_kept_from_starting_only_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "_POLICY", policy)
    with debian._no_service_starts():
        assert subprocess.run([policy]).returncode == 101
    assert not policy.exists()
    policy.write_text("of the machine's own")
    with debian._no_service_starts():
        assert policy.read_text() == "of the machine's own"
    assert policy.read_text() == "of the machine's own"


def test_failing_apt_is_told_in_its_own_words(
    os_release: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt_get = tmp_path / "apt-get"
    apt_get.write_text("#!/bin/sh\necho 'Reading'\necho 'E: no such package'\nexit 100\n")
    apt_get.chmod(0o755)
    monkeypatch.setattr(debian, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(debian, "_is_installed", lambda name: False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SetupError, match=r"^apt-get install failed: E: no such package$"):
        debian.install(["anything"])
