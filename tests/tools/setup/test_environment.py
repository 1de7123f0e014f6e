"""What the environment borrows from Debian: packages that are there for this very Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from setup import environment

VERSION = sys.version_info
BUILT = f"names.cpython-{VERSION.major}{VERSION.minor}-x86_64-linux-gnu.so"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment's folder of packages; Debian's has the package, built for nobody."""
    folder = tmp_path / "venv/lib" / f"python{VERSION.major}.{VERSION.minor}" / "site-packages"
    debian = tmp_path / "debian"
    (debian / "gssapi" / "raw").mkdir(parents=True)
    (debian / "decorator.py").touch()
    folder.mkdir(parents=True)
    monkeypatch.setattr(environment, "_ENVIRONMENT", tmp_path / "venv")
    monkeypatch.setattr(environment, "_DEBIAN_PACKAGES", debian)
    return folder


def test_what_debian_has_for_this_python_is_there(site: Path) -> None:
    (environment._DEBIAN_PACKAGES / "gssapi" / "raw" / BUILT).touch()
    for _ in range(2):  # every run looks
        environment._borrow()
        assert (site / "gssapi" / "raw" / BUILT).exists()
        assert (site / "decorator.py").exists()


@pytest.mark.parametrize("other", ["names.cpython-27-x86_64-linux-gnu.so", "names.py"])
def test_what_it_has_for_another_is_not(site: Path, other: str) -> None:
    (environment._DEBIAN_PACKAGES / "gssapi" / "raw" / other).touch()
    environment._borrow()
    assert list(site.iterdir()) == []


def test_nothing_is_borrowed_where_debian_has_nothing(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_DEBIAN_PACKAGES", site / "nowhere")
    environment._borrow()
    assert list(site.iterdir()) == []
