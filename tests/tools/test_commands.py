"""Tests of what generate does to the folder it writes in: folders, caches and links there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import gen_xdr

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def wire(tmp_path: Path) -> Path:
    """The generated modules, in a place where they may be spoiled."""
    assert gen_xdr.main(["generate", "--into", str(tmp_path / "into")]) == 0
    return tmp_path / "into" / "wire"


def files_below(folder: Path) -> dict[str, bytes]:
    """Return what every file below a folder holds."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_generate_removes_folders_that_it_emptied(wire: Path, capsys: Capture) -> None:
    """A folder without modules could still be imported, as a package of nothing."""
    for name in ("old/__init__.py", "old/deep/module.py", "remote/old/module.py"):
        (wire / name).parent.mkdir(parents=True, exist_ok=True)
        (wire / name).write_text("")
    (wire / "old" / "deep" / "__pycache__").mkdir()
    (wire / "old" / "deep" / "__pycache__" / "module.pyc").write_bytes(b"")
    capsys.readouterr()
    assert gen_xdr.main(["generate", "--into", str(wire.parent)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"removed {wire / name}"
        for name in (
            "old/__init__.py",
            "old/deep/module.py",
            "old/deep",
            "old",
            "remote/old/module.py",
            "remote/old",
        )
    ]
    assert not (wire / "old").exists()
    assert not (wire / "remote" / "old").exists()


def test_generate_leaves_other_empty_folders_and_caches(wire: Path) -> None:
    (wire / "empty").mkdir()
    (wire / "remote" / "__pycache__").mkdir()
    assert gen_xdr.main(["generate", "--into", str(wire.parent)]) == 0
    assert (wire / "empty").is_dir()
    assert (wire / "remote" / "__pycache__").is_dir()


def test_a_folder_in_the_place_of_a_module_gives_way(wire: Path) -> None:
    (wire / "rpc.py").unlink()
    (wire / "rpc.py").mkdir()
    (wire / "rpc.py" / "leftover").write_text("")
    assert gen_xdr.main(["generate", "--into", str(wire.parent)]) == 0
    assert gen_xdr.main(["check", "--into", str(wire.parent)]) == 0


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize("name", ["rpc.py", "remote", "other.py", "remote/other"])
@pytest.mark.parametrize("dangling", [False, True])
def test_nothing_is_written_through_a_link(
    wire: Path, tmp_path: Path, capsys: Capture, command: str, name: str, dangling: bool
) -> None:
    """Not even the modules that come before the link in the alphabet."""
    link, target = wire / name, tmp_path / "elsewhere"
    if not link.exists():
        if not dangling:
            target.write_text("precious")
    elif dangling:
        shutil.move(link, tmp_path / "away")
    else:
        shutil.move(link, target)
    link.symlink_to(target)
    (wire / "admin.py").write_text("spoiled")
    before = files_below(tmp_path)
    capsys.readouterr()
    assert gen_xdr.main([command, "--into", str(wire.parent)]) == 2
    said = capsys.readouterr().err
    assert said == f"gen_xdr.py: {link}: expected a generated file, found a symbolic link\n"
    assert files_below(tmp_path) == before
    assert target.exists() is not dangling


def test_the_folder_itself_may_be_a_link(wire: Path, tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "wire").symlink_to(wire)
    (wire / "rpc.py").unlink()
    assert gen_xdr.main(["generate", "--into", str(tmp_path / "link")]) == 0
    assert (wire / "rpc.py").is_file()
