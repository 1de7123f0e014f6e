"""``virtproto vol-upload`` and ``vol-download`` against libvirtd 9.0.0."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtproto
from tests.cli.pseudo_terminal import ROOT, PseudoTerminal
from tests.lab.daemon import PrivateDaemon

pytestmark = pytest.mark.lab

MIB = 1 << 20
CONTENT = bytes(range(256)) * 4096 * 3
POOL = """<pool type='dir'><name>commands</name><target><path>{path}</path></target></pool>"""
VOLUME = """\
<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""


@pytest.fixture
def uri(libvirtd: PrivateDaemon) -> Iterator[str]:
    """A daemon with the volumes ``small`` (3 MiB, CONTENT) and ``large`` (4 GiB, empty)."""
    path = libvirtd.folder / "commands"
    path.mkdir(exist_ok=True)
    with virtproto.open(libvirtd.uri("qemu:///system")) as connection:
        pool = connection.create_storage_pool(POOL.format(path=path))
        (path / "small").write_bytes(CONTENT)
        pool.refresh()
        pool.create_volume(VOLUME.format(name="large", size=4096 * MIB))
        yield libvirtd.uri("qemu:///system")
        for volume in pool.list_all_volumes():
            volume.delete()
        pool.destroy()


def run(*arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
    done = subprocess.run(
        [sys.executable, "-m", "virtproto", *arguments],
        input=given,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def test_a_file_goes_there_and_back(uri: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(CONTENT[::-1])
    assert run("vol-upload", "-c", uri, "commands", "small", str(source)) == (0, b"", "")
    assert run("vol-download", "-c", uri, "commands", "small", str(target)) == (0, b"", "")
    assert target.read_bytes() == CONTENT[::-1]


def test_holes_stay_holes_unless_told_otherwise(uri: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as file:
        file.seek(1024 * MIB)
        file.write(b"x" * MIB)
        file.truncate(2048 * MIB)
    assert run("vol-upload", "-c", uri, "commands", "large", str(source))[0] == 0
    assert run("vol-download", "-c", uri, "commands", "large", str(target))[0] == 0
    assert (target.stat().st_size, target.stat().st_blocks * 512 < 8 * MIB) == (4096 * MIB, True)
    options = ["--offset", "1G", "--length", "8M", "--no-sparse", "--overwrite"]
    assert run("vol-download", "-c", uri, *options, "commands", "large", str(target))[0] == 0
    assert target.read_bytes() == b"x" * MIB + bytes(7 * MIB)
    assert target.stat().st_blocks * 512 >= 8 * MIB


def test_a_dash_is_the_input_or_the_output(uri: str) -> None:
    said = run(
        "vol-upload", "-c", uri, "--offset", "1M", "commands", "small", "-", given=b"piped in"
    )
    assert said == (0, b"", "")
    options = ["--offset", "1M", "--length", "10"]
    said = run("vol-download", "-c", uri, *options, "commands", "small", "-")
    assert said == (0, b"piped in\x08\t", "")
    with PseudoTerminal("vol-download", "-c", uri, "commands", "small", "-") as window:
        code, words = window.end()
    assert (code, "not for a terminal" in words) == (2, True)
    with PseudoTerminal("vol-upload", "-c", uri, "commands", "small", "-") as window:
        window.type(b"typed\n\x04")
        assert window.end() == (0, "")
    said = run("vol-download", "-c", uri, "--length", "7", "commands", "small", "-")
    assert said == (0, b"typed\n\x06", "")


@pytest.mark.parametrize(
    ("redirected", "words"),
    [(">&-", "Bad file descriptor\n"), (">/dev/full", "No space left on device\n")],
)
def test_an_output_that_takes_nothing(uri: str, redirected: str, words: str) -> None:
    command = [sys.executable, "-m", "virtproto", "vol-download", "-c", uri]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *command, "commands", "small", "-"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    expected = f"virtproto: the output cannot be written: {words}"
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_volume_is_found_by_path_or_key_in_its_pool(uri: str) -> None:
    with virtproto.open(uri) as connection:
        volume = connection.get_storage_pool_by_name("commands").get_volume_by_name("small")
        pool_uuid = connection.get_storage_pool_by_name("commands").get_uuid_string()
        names = volume.get_path(), volume.get_key()
    for name in names:
        said = run("vol-download", "-c", uri, "--length", "3", pool_uuid, name, "-")
        assert said == (0, b"\0\1\2", "")


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("vol-download command small OUT", 1, "no storage pool command; did you mean commands?"),
        ("vol-download commands smell OUT", 1, "pool commands has no volume smell; did you mean"),
        ("vol-upload commands small NONE", 1, "none: No such file or directory"),
        ("vol-download commands small THERE", 1, "there exists; --overwrite lets"),
        ("vol-download commands small FOLDER", 1, "folder is a directory; name a file"),
        ("vol-download commands small FOLDER --overwrite", 1, "folder is a directory; name a file"),
        ("vol-upload commands small FOLDER", 1, "folder is a directory; name a file"),
        ("vol-download commands small /dev/null", 1, "null exists, and is no file; --overwrite w"),
        ("vol-download commands small EMPTY", 2, ": FILE: a path is required, not an empty text"),
        ("vol-upload commands small EMPTY", 2, ": FILE: a path is required, not an empty text"),
        ("vol-upload commands small THERE --offset 3M", 2, ": FILE: "),
        ("vol-upload commands small THERE --offset 3M", 2, "the volume takes nothing from offset"),
        ("vol-upload commands small THERE --length 10", 2, ": --length: 10 bytes; "),
        (
            "vol-upload commands small THERE --length 0",
            2,
            "--length: 0 bytes; leave it out",
        ),
        (
            "vol-download commands small OUT --offset 4M",
            2,
            ": --offset: 4194304 is beyond the",
        ),
        ("vol-download commands small OUT --length 1X", 2, "--length: expected bytes such as"),
    ],
)
def test_mistakes_are_one_line(
    uri: str, tmp_path: Path, words: str, code: int, expected: str
) -> None:
    (tmp_path / "there").write_bytes(b"as before")
    (tmp_path / "folder").mkdir()
    places = {name: str(tmp_path / name.lower()) for name in ("OUT", "NONE", "THERE", "FOLDER")}
    places["EMPTY"] = ""
    said = run(*(places.get(word, word) for word in words.split()), "-c", uri)
    assert (said[0], said[1], said[2].count("\n")) == (code, b"", 1)
    assert expected in said[2]
    assert sorted(os.listdir(tmp_path)) == ["folder", "there"]
    assert (tmp_path / "there").read_bytes() == b"as before"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], ids=lambda n: n.name
)
def test_what_is_interrupted_leaves_no_file(
    uri: str, tmp_path: Path, number: signal.Signals
) -> None:
    target = tmp_path / "target"
    command = [sys.executable, "-m", "virtproto", "vol-download", "-c", uri, "--no-sparse"]
    process = subprocess.Popen(
        [*command, "commands", "large", str(target)], stderr=subprocess.PIPE, cwd=ROOT
    )
    with process:
        while not (begun := os.listdir(tmp_path)) or not (tmp_path / begun[0]).stat().st_size:
            assert process.poll() is None
        process.send_signal(number)
        assert process.communicate(timeout=30)[1] == b""
    assert (process.returncode, os.listdir(tmp_path)) == (128 + number, [])
    assert run("vol-download", "-c", uri, "--length", "2", "commands", "small", "-")[1] == b"\0\1"


@pytest.mark.parametrize("command", ["vol-upload", "vol-download"])
def test_what_stands_still_is_interrupted_soon(
    uri: str, libvirtd: PrivateDaemon, tmp_path: Path, command: str
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as file:
        file.truncate(4096 * MIB)
    file_named = str(source if command == "vol-upload" else target)
    words = [command, "-c", uri, "--no-sparse", "commands", "large", file_named]
    with PseudoTerminal(*words, stderr_too=True) as window:
        # Of the line that shows how far it has come.
        window.read_until(b"left", anywhere=True)
        libvirtd.freeze()
        try:
            began = time.monotonic()
            window.type(b"\x03")
            assert window.end()[0] == 128 + signal.SIGINT
            assert time.monotonic() - began < 4
        finally:
            libvirtd.thaw()
    assert os.listdir(tmp_path) == ["source"]
