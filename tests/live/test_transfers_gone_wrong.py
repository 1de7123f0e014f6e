"""What may go wrong while a volume is moved: here, at the daemon, and in between."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import virtproto
from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.live.volumes import MIB, URI, Progress, content, digest, volume
from virtproto import aio
from virtproto.errors import ConnectionLostError, DeadlineError, LibvirtError, TransferError

pytestmark = pytest.mark.lab


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


def threads_of(daemon: PrivateDaemon) -> set[str]:
    """Return the names of a daemon's threads."""
    names = set()
    for path in Path(f"/proc/{daemon.pid}/task").glob("*/comm"):
        with suppress(OSError):  # it has ended meanwhile
            names.add(path.read_text().strip())
    return names


def wait_for_the_failure(daemon: PrivateDaemon, disk: Path) -> None:
    """Wait until the disk is full and the daemon's thread that writes an upload to it knows that.

    A daemon takes an upload in faster than that thread writes it, and asks it how it went only
    when more data comes: an upload that it has taken in whole by then, it confirms. Every libvirt
    from 7.0.0 to 12.8.0 does, to virsh as well: virFDStreamCloseInt overwrites the thread's result
    by that of close(). Of uploads that are 64 KiB larger than the disk it confirms all.
    """
    deadline = time.monotonic() + 30
    while os.statvfs(disk).f_bavail or "fd-stream" in threads_of(daemon):
        assert time.monotonic() < deadline, "the daemon goes on writing"
        time.sleep(0.002)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.usefixtures("every_piece")
def test_disks_that_are_full(open_in_colour: Open, memory: Path) -> None:
    source = memory / "source"
    source.write_bytes(content(16 * MIB))
    with (
        small_disk(memory) as small,
        private_daemon("9.0.0") as daemon,
        open_in_colour(daemon.uri(URI)) as connection,
    ):
        with volume(connection, small, 16 * MIB) as vol:
            progress = Progress(8 * MIB, lambda: wait_for_the_failure(daemon, small))
            with pytest.raises(LibvirtError, match="No space left") as refused:
                vol.upload_from(source, progress=progress)
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


@pytest.mark.usefixtures("every_piece")
@pytest.mark.parametrize("method", ["upload_from", "download_to"])
def test_a_daemon_that_stops_midway_meets_the_deadline(method: str, memory: Path) -> None:
    file = memory / "file"
    if method == "upload_from":
        file.write_bytes(content(64 * MIB))
    with (
        private_daemon("9.0.0") as daemon,
        virtproto.open(daemon.uri(URI), keepalive=None) as connection,
        volume(connection, memory, 64 * MIB) as vol,
    ):
        start = time.monotonic()
        with virtproto.deadline(0.7), pytest.raises(DeadlineError):
            getattr(vol, method)(file, progress=Progress(1, daemon.freeze))
        assert time.monotonic() - start < 7
        daemon.thaw()
        assert connection.get_library_version()
        assert vol.get_info()
    assert {path.name for path in memory.iterdir()} <= {"file", "volumes"}


@pytest.mark.usefixtures("every_piece")
@pytest.mark.parametrize("method", ["upload_from", "download_to"])
def test_a_daemon_that_stops_midway_meets_a_tasks_deadline(method: str, memory: Path) -> None:
    file = memory / "file"
    if method == "upload_from":
        file.write_bytes(content(64 * MIB))

    async def move(daemon: PrivateDaemon, path: str) -> None:
        async with await aio.open(daemon.uri(URI), keepalive=None) as connection:
            vol = await connection.get_storage_volume_by_path(path)
            start = time.monotonic()
            with virtproto.deadline(0.7), pytest.raises(DeadlineError):
                await getattr(vol, method)(file, progress=Progress(1, daemon.freeze))
            assert time.monotonic() - start < 7
            daemon.thaw()
            assert await connection.get_library_version()
            assert await vol.get_info()

    with (
        private_daemon("9.0.0") as daemon,
        virtproto.open(daemon.uri(URI), keepalive=None) as connection,
        volume(connection, memory, 64 * MIB) as vol,
    ):
        asyncio.run(move(daemon, vol.get_path()))
    assert {path.name for path in memory.iterdir()} <= {"file", "volumes"}
