"""Volumes from files and to files against libvirtd 9.0.0, and what may go wrong on the way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from virtproto.errors import (
    ConnectionLostError,
    LibvirtError,
    NoStorageVolError,
    OperationDeniedError,
    TransferError,
    UsageError,
)
from virtproto.records import VolTransfer
from virtproto.sync.storage_vol import StorageVol

pytestmark = pytest.mark.lab

URI = "qemu:///system"
MIB = 1 << 20
GIB = 1 << 30
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
VOLUME = """\
<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='{format}'/></target></volume>"""
# Content that is not twice the same anywhere.
SEED = hashlib.shake_128(b"transfers").digest(MIB)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is room for much and nothing waits for a disk."""
    folder = Path(tempfile.mkdtemp(prefix="vp-", dir="/dev/shm"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def pool_of(connection: virtproto.Connection, folder: Path) -> Iterator[virtproto.StoragePool]:
    """A pool with a folder of its own."""
    path = folder / "volumes"
    path.mkdir(exist_ok=True)
    pool = connection.create_storage_pool(POOL.format(name=folder.name, path=path))
    try:
        yield pool
    finally:
        if connection.is_alive():
            pool.destroy()


@contextmanager
def volume(
    connection: virtproto.Connection, folder: Path, size: int, format: str = "raw"
) -> Iterator[StorageVol]:
    """A volume of ``size`` bytes, whose file is ``volumes/v`` in the folder."""
    with pool_of(connection, folder) as pool:
        yield pool.create_volume(VOLUME.format(name="v", size=size, format=format))


def content(size: int) -> bytes:
    """Return bytes of which no two MiB are the same."""
    parts = []
    for number in range(-(-size // MIB)):
        parts.append(number.to_bytes(8, "big") + SEED[8:])
    return b"".join(parts)[:size]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def taken(path: Path) -> int:
    """Return how many bytes a file takes of its disk."""
    return path.stat().st_blocks * 512


@pytest.fixture
def every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told after each piece, so that something can happen between two of them."""
    monkeypatch.setattr("virtproto.model.transfers._PROGRESS_EVERY_S", 0.0)


class Progress:
    """Notes what it is told, and does something once so much is done."""

    def __init__(self, at: int = 0, then: Callable[[], object] | None = None) -> None:
        self.told: list[tuple[int, int | None]] = []
        self.done_at: float | None = None
        self._at = at
        self._then = then

    def __call__(self, done: int, total: int | None) -> None:
        self.told.append((done, total))
        if self._then is not None and done >= self._at:
            then, self._then = self._then, None
            then()
            self.done_at = time.monotonic()


def test_a_large_volume_goes_there_and_back(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    size = 256 * MIB
    source, target = memory / "source", memory / "target"
    source.write_bytes(content(size))
    progress = Progress()
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, size) as vol,
    ):
        assert vol.upload_from(source, progress=progress)[:3] == (size, size, 0)
        assert digest(memory / "volumes" / "v") == digest(source)
        assert progress.told[0] == (0, size)
        assert progress.told[-1] == (size, size)
        assert progress.told == sorted(set(progress.told))
        # Some ten times a second.
        assert len(progress.told) < 200
        assert vol.download_to(str(target)).size_bytes == size
        assert digest(target) == digest(source)
        assert {path.name for path in memory.iterdir()} == {"source", "target", "volumes"}


def test_a_sparse_image_stays_sparse_and_takes_no_time(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    size = 10 * GIB
    source, target = memory / "source", memory / "target"
    with source.open("wb") as file:
        file.truncate(size)
        file.seek(5 * GIB)
        file.write(content(MIB))
    start = time.monotonic()
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, size) as vol,
    ):
        moved = VolTransfer(size, MIB, size - MIB, sparse=True)
        assert vol.upload_from(source) == moved
        progress = Progress()
        assert vol.download_to(target, progress=progress) == moved
        assert progress.told[-1] == (size, size)
    assert time.monotonic() - start < 10
    for path in (memory / "volumes" / "v", target):
        assert path.stat().st_size == size
        assert taken(path) < 2 * MIB
        with path.open("rb") as file:
            file.seek(5 * GIB)
            assert file.read(MIB) == content(MIB)
            assert file.read(MIB) == bytes(MIB)


def test_holes_over_old_content_are_zeros(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    """A daemon would let the old content shine through a hole, and cut off what is behind."""
    source, target = memory / "source", memory / "target"
    with source.open("wb") as file:
        file.write(content(MIB))
        file.truncate(4 * MIB)
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 8 * MIB) as vol,
    ):
        with connection.new_stream() as stream:
            vol.upload(stream, 0, 0)
            stream.send(b"x" * 8 * MIB)
        assert vol.upload_from(source, offset=MIB) == (4 * MIB, 4 * MIB, 0, False)
        expected = b"x" * MIB + source.read_bytes() + b"x" * 3 * MIB
        assert (memory / "volumes" / "v").read_bytes() == expected
        assert vol.download_to(target, offset=5, length=3 * MIB).size_bytes == 3 * MIB
        assert target.read_bytes() == expected[5 : 3 * MIB + 5]


def test_holes_cut_nothing_off_an_empty_volume(
    any_storage_release: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    source, target = memory / "source", memory / "target"
    with source.open("wb") as file:
        file.truncate(MIB)
        file.seek(2 * MIB)
        file.write(content(MIB))
        file.truncate(4 * MIB)
    with (
        open_in_colour(any_storage_release.uri(URI)) as connection,
        volume(connection, memory, 8 * MIB) as vol,
    ):
        assert vol.upload_from(source, offset=MIB) == (4 * MIB, MIB, 3 * MIB, True)
        expected = bytes(MIB) + source.read_bytes() + bytes(3 * MIB)
        assert (memory / "volumes" / "v").read_bytes() == expected
        moved = vol.download_to(target, offset=10)
        assert (moved.size_bytes, moved.sparse) == (8 * MIB - 10, True)
        assert target.read_bytes() == expected[10:]
        assert taken(target) < 2 * MIB


@pytest.fixture(params=["libvirtd_7_0", "libvirtd"])
def any_storage_release(request: pytest.FixtureRequest) -> PrivateDaemon:
    """The releases that the lab has with storage pools in the QEMU driver's company."""
    daemon: PrivateDaemon = request.getfixturevalue(request.param)
    return daemon


def test_files_that_the_caller_opened(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    data = content(3 * MIB)
    (memory / "source").write_bytes(data)
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 3 * MIB) as vol,
    ):
        with (memory / "source").open("rb") as file:
            file.seek(100)
            assert vol.upload_from(file, length=MIB).size_bytes == MIB
            assert file.tell() == MIB + 100
        assert vol.upload_from(io.BytesIO(data[: MIB + 100]), offset=MIB).size_bytes == MIB + 100
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb") as end:
            end.write(data[:5000])
            end.close()
            progress = Progress()
            moved = vol.upload_from(file, offset=2 * MIB + 100, progress=progress)
            assert moved.size_bytes == 5000
            assert progress.told == [(0, None), (5000, None)]
        expected = data[100 : MIB + 100] + data[: MIB + 100] + data[:5000]
        expected += bytes(3 * MIB - len(expected))
        kept = io.BytesIO(b"before")
        kept.seek(6)
        vol.download_to(kept)
        assert kept.getvalue() == b"before" + expected
        with (memory / "target").open("w+b") as file:
            # Longer than what is written into it, so that holes fall on old content.
            file.write(b"y" * 4 * MIB)
            file.seek(10)
            vol.download_to(file)
            assert file.tell() == 3 * MIB + 10
        assert (memory / "target").read_bytes() == b"y" * 10 + expected + b"y" * (MIB - 10)


@pytest.mark.usefixtures("every_piece")
def test_an_exception_of_the_callers_aborts(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    source, target = memory / "source", memory / "target"
    source.write_bytes(content(64 * MIB))

    def fail() -> None:
        raise ZeroDivisionError

    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 64 * MIB) as vol,
    ):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                vol.upload_from(source, progress=Progress(1, fail))
            assert connection.get_library_version()
            with pytest.raises(ZeroDivisionError):
                vol.download_to(target, progress=Progress(1, fail))
            assert connection.get_library_version()
        assert {path.name for path in memory.iterdir()} == {"source", "volumes"}
        vol.upload_from(source)
        assert digest(memory / "volumes" / "v") == digest(source)


def test_what_is_refused_before_anything_is_sent(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    source = memory / "source"
    source.write_bytes(b"x" * (MIB + 1))
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, MIB) as vol,
    ):
        with pytest.raises(UsageError, match=rf"'{source}' is 1048577 bytes.*1048576"):
            vol.upload_from(source)
        with pytest.raises(UsageError, match="source"):
            vol.upload_from(source, length=MIB, offset=1)
        with pytest.raises(UsageError, match="length"):
            vol.upload_from(source, length=2 * MIB)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            vol.upload_from(memory / "nowhere")
        with pytest.raises(IsADirectoryError, match="volumes"):
            vol.upload_from(memory / "volumes")
        with pytest.raises(FileExistsError, match="source"):
            vol.download_to(source)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            vol.download_to(memory / "nowhere" / "target")
        with pytest.raises(UsageError, match="offset"):
            vol.download_to(memory / "target", offset=2 * MIB)
        with pytest.raises(UsageError, match="length"):
            vol.download_to(memory / "target", offset=10, length=MIB)
        assert (memory / "volumes" / "v").read_bytes() == bytes(MIB)
        assert vol.download_to(source, overwrite=True).size_bytes == MIB
        assert source.read_bytes() == bytes(MIB)
        vol.delete()
        with pytest.raises(NoStorageVolError):
            vol.upload_from(source)
        with pytest.raises(NoStorageVolError):
            vol.download_to(memory / "target")
    assert {path.name for path in memory.iterdir()} == {"source", "volumes"}


def test_a_read_only_connection_moves_nothing(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, MIB) as vol,
        open_in_colour(libvirtd.uri(URI), readonly=True) as watching,
    ):
        seen = watching.get_storage_volume_by_path(vol.get_path())
        with pytest.raises(OperationDeniedError, match="upload_from"):
            seen.upload_from(memory / "source")
        with pytest.raises(OperationDeniedError, match="download_to"):
            seen.download_to(memory / "target")


def test_an_image_of_another_format_may_be_smaller_than_its_volume(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, GIB, "qcow2") as vol,
    ):
        target = memory / "target"
        progress = Progress()
        moved = vol.download_to(target, progress=progress)
        assert moved.size_bytes == (memory / "volumes" / "v").stat().st_size < MIB
        assert progress.told[-1] == (moved.size_bytes, moved.size_bytes)
        assert vol.upload_from(target).size_bytes == moved.size_bytes
        assert digest(memory / "volumes" / "v") == digest(target)


@pytest.mark.parametrize("change", [-MIB, MIB], ids=["shrinks", "grows"])
@pytest.mark.usefixtures("every_piece")
def test_a_file_that_changes_meanwhile(
    change: int, libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    size = 16 * MIB
    source = memory / "source"
    source.write_bytes(content(size))
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 2 * size) as vol,
    ):
        progress = Progress(0, lambda: os.truncate(source, size + change))
        with pytest.raises(TransferError, match="source"):
            vol.upload_from(source, progress=progress)
        assert connection.get_library_version()
        # Who asks for a part of a file does not mind that it grows.
        vol.upload_from(source, length=MIB, progress=Progress(0, lambda: os.truncate(source, size)))


def test_a_file_that_goes_away_meanwhile_is_read_on(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    source = memory / "source"
    source.write_bytes(content(4 * MIB))
    known = digest(source)
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 4 * MIB) as vol,
    ):
        vol.upload_from(source, progress=Progress(0, source.unlink))
        assert digest(memory / "volumes" / "v") == known


def test_a_target_that_appears_meanwhile_is_not_replaced(
    libvirtd: PrivateDaemon, open_in_colour: Open, memory: Path
) -> None:
    target = memory / "target"
    with (
        open_in_colour(libvirtd.uri(URI)) as connection,
        volume(connection, memory, MIB) as vol,
    ):
        with pytest.raises(FileExistsError, match="target"):
            vol.download_to(target, progress=Progress(0, lambda: target.write_bytes(b"mine")))
        assert target.read_bytes() == b"mine"
        assert {path.name for path in memory.iterdir()} == {"target", "volumes"}


@pytest.mark.usefixtures("every_piece")
@pytest.mark.parametrize("method", ["upload_from", "download_to"])
def test_a_daemon_killed_midway(method: str, open_in_colour: Open, memory: Path) -> None:
    file = memory / "file"
    if method == "upload_from":
        file.write_bytes(content(64 * MIB))
    with (
        private_daemon("9.0.0") as daemon,
        open_in_colour(daemon.uri(URI)) as connection,
        volume(connection, memory, 64 * MIB) as vol,
    ):
        progress = Progress(1, daemon.kill)
        with pytest.raises(ConnectionLostError):
            getattr(vol, method)(file, progress=progress)
        assert progress.done_at is not None
        assert time.monotonic() - progress.done_at < 1
    assert {path.name for path in memory.iterdir()} <= {"file", "volumes"}
    assert file.exists() == (method == "upload_from")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    path = folder / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "vp-small", str(path)]
    subprocess.run(mount, check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_disks_that_are_full(open_in_colour: Open, memory: Path) -> None:
    source = memory / "source"
    source.write_bytes(content(16 * MIB))
    with (
        small_disk(memory) as small,
        private_daemon("9.0.0") as daemon,
        open_in_colour(daemon.uri(URI)) as connection,
    ):
        with volume(connection, small, 16 * MIB) as vol:
            with pytest.raises(LibvirtError, match="No space left") as refused:
                vol.upload_from(source)
            assert refused.value.code == 38
            assert any(str(source) in note for note in refused.value.__notes__)
            assert connection.get_library_version()
            vol.delete()
        with volume(connection, memory, 16 * MIB) as vol:
            vol.upload_from(source)
            with pytest.raises(OSError, match="No space left") as full:
                vol.download_to(small / "target")
            assert full.value.errno == errno.ENOSPC
            assert full.value.filename == str(small / "target")
            assert connection.get_library_version()
            assert {path.name for path in small.iterdir()} == {"volumes"}


_INTERRUPTED = """
    import asyncio, sys, virtproto
    from virtproto import aio
    from virtproto.model import transfers
    transfers._PROGRESS_EVERY_S = 0.0
    uri, path, method, colour, source = sys.argv[1:]

    def progress(done, total):
        if done:
            print("begun", flush=True)
            sys.stdin.readline()

    def sync():
        with virtproto.open(uri) as connection:
            volume = connection.get_storage_volume_by_path(path)
            try:
                while True:
                    getattr(volume, method)(source, progress=progress)
            except KeyboardInterrupt:
                print("stopped", connection.get_library_version() > 0, flush=True)

    async def asynchronous():
        async with await aio.open(uri) as connection:
            volume = await connection.get_storage_volume_by_path(path)
            try:
                while True:
                    await getattr(volume, method)(source, progress=progress)
            except asyncio.CancelledError:
                asyncio.current_task().uncancel()
                print("stopped", await connection.get_library_version() > 0, flush=True)

    sync() if colour == "sync" else asyncio.run(asynchronous())
"""


@pytest.mark.parametrize("colour", ["sync", "aio"])
@pytest.mark.parametrize("method", ["upload_from", "download_to"])
def test_a_key_stroke_stops_it(
    method: str, colour: str, libvirtd: PrivateDaemon, memory: Path
) -> None:
    source = memory / "source"
    if method == "upload_from":
        source.write_bytes(content(64 * MIB))
    with (
        virtproto.open(libvirtd.uri(URI)) as connection,
        volume(connection, memory, 64 * MIB) as vol,
    ):
        arguments = [libvirtd.uri(URI), vol.get_path(), method, colour, str(source)]
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_INTERRUPTED), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == b"begun\n"
            child.send_signal(signal.SIGINT)
            child.stdin.write(b"\n" * 100)
            child.stdin.close()
            assert child.stdout.read().splitlines()[-1] == b"stopped True"
        assert child.returncode == 0
        assert {path.name for path in memory.iterdir()} <= {"source", "volumes"}
        assert source.exists() == (method == "upload_from")
        assert vol.get_info()
