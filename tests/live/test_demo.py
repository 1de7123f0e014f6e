"""./run without arguments: the demo on a libvirtd of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import run_demo
from setup.progress import SetupError

pytestmark = pytest.mark.lab


def test_demo_lists_the_domain_in_both_colours(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo.show_on_private_daemon(Path(sys.executable)) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert "$ virtproto list -c" in said.out
    assert "running" in said.out
    assert "test 2097152 KiB, 2 vCPUs" in said.out
    assert "stopped it again" in said.out


def test_demo_without_libvirtd_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run_demo, "DAEMON_PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"needs libvirtd .*libvirt-daemon"):
        run_demo.show_on_private_daemon(Path(sys.executable))
