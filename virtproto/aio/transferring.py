"""A volume's content from a file of this machine, and to one.

Responsible for what happens in which order: what is checked, asked and opened, how holes travel,
and that nothing passes for whole that is not. How bytes get from a file to a stream and back is in
`moving`, files are in ``virtproto.transport.local_files``. Its twin of the other colour differs in
``async`` and ``await`` only.
"""

from __future__ import annotations

from contextlib import suppress

from virtproto.errors import LibvirtError, VirtprotoError
from virtproto.model.transfers import (
    Meter,
    Volume,
    check_download,
    check_request,
    check_upload,
    is_raw,
)
from virtproto.transport.local_files import Source, Target

from .moving import check_progress, file_to_stream, report, run_local, stream_to_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.transfers import ProgressFunction
    from virtproto.records import VolTransfer
    from virtproto.transport.local_files import AnyFile

    from .storage_vol import StorageVol
    from .stream import Stream

__all__ = ["download", "upload"]

# virErrorNumber: what a daemon says that does not know a flag, or a driver that cannot do it.
_NO_SUPPORT, _INVALID_ARG, _ARGUMENT_UNSUPPORTED = 3, 8, 74
_NOT_SPARSE = (_NO_SUPPORT, _INVALID_ARG, _ARGUMENT_UNSUPPORTED)
# virStorageVolInfoFlags.
_GET_PHYSICAL = 1
# virStorageVolUploadFlags, virStorageVolDownloadFlags.
_SPARSE_STREAM = 1


async def upload(
    volume: StorageVol,
    source: AnyFile,
    *,
    offset: int,
    length: int | None,
    sparse: bool,
    progress: ProgressFunction | None,
) -> VolTransfer:
    """Do what ``StorageVol.upload_from`` says."""
    check_request(offset, length, progress, sparse=sparse)
    check_progress(progress)
    file = Source("source", source, length)
    try:
        await run_local(file.open)
        facts = await _look_at(volume)
        check_upload(file.name, file.size, facts, offset)
        meter = Meter(progress, file.size)
        stream, sparse = await _opened(volume, "upload", offset, 0, sparse and facts.keeps_holes)
        async with stream:
            await report(meter)
            await file_to_stream(file, stream, meter, sparse=sparse)
            await run_local(file.check_unchanged)
            rest = facts.rest_behind(offset + meter.done)
            if meter.holes and rest:
                # Each hole cut the volume behind it.
                await stream.send_hole(rest)
            await report(meter, at_end=True)
    except VirtprotoError as error:
        error.add_note(f"while {file.name} was sent to volume {volume.get_name()!r}")
        raise
    finally:
        await run_local(file.close)
    return meter.result(sparse=sparse)


async def download(
    volume: StorageVol,
    target: AnyFile,
    *,
    offset: int,
    length: int | None,
    sparse: bool,
    overwrite: bool,
    progress: ProgressFunction | None,
) -> VolTransfer:
    """Do what ``StorageVol.download_to`` says."""
    check_request(offset, length, progress, sparse=sparse, overwrite=overwrite)
    check_progress(progress)
    file = Target("target", target, overwrite=overwrite)
    try:
        await run_local(file.open)
        facts = await _look_at(volume)
        meter = Meter(progress, check_download(facts, offset, length))
        stream, sparse = await _opened(volume, "download", offset, length or 0, sparse)
        async with stream:
            await report(meter)
            await stream_to_file(stream, file, meter)
            meter.check_complete(file.name)
            await report(meter, at_end=True)
        await run_local(file.complete)
    except VirtprotoError as error:
        error.add_note(f"while volume {volume.get_name()!r} was received into {file.name}")
        raise
    finally:
        await run_local(file.discard)
    return meter.result(sparse=sparse)


async def _look_at(volume: StorageVol) -> Volume:
    """Ask for a volume's sizes and format."""
    info = await volume.get_info()
    physical: int | None = None
    with suppress(LibvirtError):
        # A daemon can be older than the question.
        physical = (await volume.get_info(_GET_PHYSICAL)).allocation_bytes
    raw = is_raw(await volume.get_xml_description())
    return Volume(int(info.type), info.capacity_bytes, info.allocation_bytes, physical, raw=raw)


async def _opened(
    volume: StorageVol, method: str, offset: int, length: int, sparse: bool
) -> tuple[Stream, bool]:
    """Open a stream of a volume; return it, and whether holes travel as holes."""
    stream = volume.connection.new_stream()
    if sparse:
        try:
            await getattr(volume, method)(stream, offset, length, _SPARSE_STREAM)
        except LibvirtError as error:
            if error.code not in _NOT_SPARSE:
                raise
        else:
            return stream, True
    await getattr(volume, method)(stream, offset, length, 0)
    return stream, False
