"""What transfers of both colours refuse by its name, before the daemon is asked anything."""

from __future__ import annotations

import errno
import io
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import virtproto
from virtproto.errors import ArgumentTypeError, UsageError, VirtprotoError
from virtproto.testing import ScriptedServer
from virtproto.transport.local_files import Source, Target
from virtproto.wire import remote

VOL = remote.NonnullStorageVol(pool="p", name="v", key="/p/v")


@pytest.fixture
def volume(
    server: ScriptedServer, connection: virtproto.Connection
) -> Iterator[virtproto.StorageVol]:
    """A volume of which nothing but its name is known; the daemon is asked nothing more."""
    server.handle(remote.STORAGE_VOL_LOOKUP_BY_PATH, remote.StorageVolLookupByPathRet(vol=VOL))
    found = connection.get_storage_volume_by_path("/p/v")
    before = len(server.calls)
    yield found
    assert len(server.calls) == before


Refused = tuple[type[VirtprotoError], str]


def refusal(move: Callable[..., object], expected: Refused, *args: Any, **options: Any) -> None:
    kind, message = expected
    with pytest.raises(kind, match=message):
        move(*args, **options)


@pytest.mark.parametrize("value", [None, 5, object()])
def test_what_is_no_file(volume: virtproto.StorageVol, value: Any) -> None:
    kind = type(value).__name__
    wanted = f"expected a path or a binary file, not {kind}"
    refusal(volume.upload_from, (ArgumentTypeError, f"^source: {wanted}"), value)
    refusal(volume.download_to, (ArgumentTypeError, f"^target: {wanted}"), value)


def test_a_path_that_no_file_has(volume: virtproto.StorageVol) -> None:
    nul: Refused = (UsageError, "source: a NUL character may not stand in a path")
    refusal(volume.upload_from, nul, "a\0b")
    refusal(volume.upload_from, nul, b"a\0b")
    refusal(volume.download_to, (UsageError, "target: a NUL character"), "a\0b")


def test_files_that_are_open_for_text(volume: virtproto.StorageVol, tmp_path: Path) -> None:
    text: Refused = (ArgumentTypeError, r"^source: .* is open for text, not for bytes")
    refusal(volume.upload_from, text, io.StringIO("abc"))
    with (tmp_path / "t").open("w+") as file, tempfile.NamedTemporaryFile("w+") as other:
        refusal(volume.upload_from, text, file)
        refusal(volume.upload_from, text, other)
        refusal(volume.download_to, (ArgumentTypeError, "^target: .*/t' is open for text"), file)
        refusal(volume.download_to, (ArgumentTypeError, "^target: .* is open for text"), other)


def test_files_that_are_open_for_something_else(
    volume: virtproto.StorageVol, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    with path.open("wb") as other:
        refusal(volume.upload_from, (UsageError, "^source: '.*/f' is not open for reading$"), other)
    with path.open("rb") as file:
        refusal(volume.download_to, (UsageError, "^target: '.*/f' is not open for writing$"), file)
    refusal(volume.upload_from, (UsageError, "^source: '.*/f' is closed$"), file)
    refusal(volume.download_to, (UsageError, "^target: '.*/f' is closed$"), file)


def test_truth_values_are_no_numbers_nor_texts_truth_values(volume: virtproto.StorageVol) -> None:
    for move in (volume.upload_from, volume.download_to):
        for name in ("length", "offset"):
            whole: Refused = (ArgumentTypeError, f"^{name}: expected a whole number, not bool")
            refusal(move, whole, "/nowhere/f", **{name: True})
        sparse: Refused = (ArgumentTypeError, "^sparse: expected True or False, not str")
        refusal(move, sparse, "/nowhere/f", sparse="no")
    overwrite: Refused = (ArgumentTypeError, "^overwrite: expected True or False, not str")
    refusal(volume.download_to, overwrite, "/nowhere/f", overwrite="no")


class _Teller:
    async def __call__(self, done: int, total: int | None) -> None: ...


def test_who_waits_for_nothing_takes_no_asynchronous_progress(
    volume: virtproto.StorageVol, colour: str
) -> None:
    async def tell(extra: object, done: int, total: int | None) -> None: ...

    for progress in (_Teller(), _Teller().__call__, partial(tell, None)):
        for move in (volume.upload_from, volume.download_to):
            if colour == "sync":
                plain: Refused = (ArgumentTypeError, "^progress: expected a plain function")
                refusal(move, plain, "/nowhere/f", progress=progress)
            else:
                # Nothing is wrong with it: the path is.
                with pytest.raises(FileNotFoundError):
                    move("/nowhere/f", progress=progress)


def test_the_systems_errors_quote_the_name_of_a_file_object_once() -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full:
        target = Target("target", full, overwrite=False)
        target.open()
        with pytest.raises(OSError, match=r"'/dev/full'$") as raised:
            target.write([b"abc"])
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == "/dev/full"
        assert Source("source", full, None).name == "'/dev/full'"
