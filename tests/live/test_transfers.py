"""Volumes from files and to files against libvirtd: whole, sparse, in part, and refused."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from tests.colours.driving import Open
from tests.lab.daemon import PrivateDaemon
from tests.live.volumes import GIB, MIB, URI, Progress, content, digest, taken, volume
from virtproto.errors import NoStorageVolError, OperationDeniedError, UsageError
from virtproto.records import VolTransfer

pytestmark = pytest.mark.lab


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
