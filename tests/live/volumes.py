"""What the tests of transfers have in common: volumes in memory, content, and progress."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import virtproto
from virtproto.sync.storage_vol import StorageVol

URI = "qemu:///system"
MIB = 1 << 20
GIB = 1 << 30
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
VOLUME = """\
<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='{format}'/></target></volume>"""
# Content that is not twice the same anywhere.
SEED = hashlib.shake_128(b"transfers").digest(MIB)


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
