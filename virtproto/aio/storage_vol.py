"""A storage volume: one disk image or partition of a pool.

Responsible for putting together the calls, which are generated, the handle, and the two methods
that move a volume's whole content; those are loaded when first used. Its twin of the other colour
differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.storage_vol_handle import StorageVolHandle

from ._methods.storage_vol import StorageVolMethods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.transfers import ProgressFunction
    from virtproto.records import VolTransfer
    from virtproto.transport.local_files import AnyFile

__all__ = ["StorageVol"]


class StorageVol(StorageVolMethods, StorageVolHandle):
    """A storage volume: one disk image or partition of a pool.

    Made by its pool, or its connection's lookups. Two handles are equal when they mean the same one
    on the same connection.

    Once the volume is gone, every call on it raises NoStorageVolError; once its pool is,
    NoStoragePoolError.
    """

    __slots__ = ()

    async def upload_from(
        self,
        source: AnyFile,
        *,
        offset: int = 0,
        length: int | None = None,
        sparse: bool = True,
        progress: ProgressFunction | None = None,
    ) -> VolTransfer:
        """Replace the volume's content, or a part of it, by that of a file on this machine.

        It returns once the daemon has confirmed that all is written. Daemons (libvirt 7.0.0 to
        12.8.0, and virsh is told no better) confirm that as well where only the end found no room:
        they look at how their writing goes when more comes. The rest of the volume, if the file is
        shorter, stays as it is. What ends the transfer before (any exception, a deadline,
        KeyboardInterrupt, cancellation) aborts it: what part of the file the volume has by then is
        not known, and the connection can be used on.

        Holes of the file are sent as holes, and take neither time nor room in the volume, where the
        file system tells them, the daemon knows how, and the volume is a file that holds nothing
        yet. In any other case they are sent as zeros: a daemon passes a hole over without
        clearing what was there.

        Args:
            source: The path of a file, or an open binary file, which is read from where it stands,
                and stands behind what was read afterwards. A pipe or the like is read to its end.
            offset: Where in the volume to begin, in bytes.
            length: How many bytes of the file to send; None is all up to its end.
            sparse: False sends holes as zeros in any case.
            progress: Called as ``progress(done, total)`` with the bytes done so far, holes among
                them, and those there are in all (None where only the end will tell): at first, some
                ten times a second, and when all is sent. What it raises aborts the upload. With
                asyncio it may be a coroutine function; it runs in the event loop.

        Raises:
            UsageError: The file is larger than what the volume can hold from ``offset`` on, or
                shorter than ``length``; nothing was sent.
            OSError: The file cannot be read; ``filename`` names it.
            TransferError: The file's size changed meanwhile.
            NoStorageVolError: The volume is gone.
            OperationInvalidError: Its pool is not in use, or the volume is just being made.
            OperationDeniedError: The connection is read-only.
            SystemCallError: The daemon could not write, for want of room for instance.

        Procedures: STORAGE_VOL_GET_INFO, STORAGE_VOL_GET_INFO_FLAGS, STORAGE_VOL_GET_XML_DESC,
        STORAGE_VOL_UPLOAD (libvirt 0.9.0; holes from 3.4.0 on).
        """
        self._require_writable("upload_from")
        from .transferring import upload

        return await upload(
            self, source, offset=offset, length=length, sparse=sparse, progress=progress
        )

    async def download_to(
        self,
        target: AnyFile,
        *,
        offset: int = 0,
        length: int | None = None,
        sparse: bool = True,
        overwrite: bool = False,
        progress: ProgressFunction | None = None,
    ) -> VolTransfer:
        """Write the volume's content, or a part of it, to a file on this machine.

        A new file is written under another name beside it (``.NAME.XXXXXXXX.partial``) and gets its
        own when it is complete. What ends the transfer before (any exception, a deadline,
        KeyboardInterrupt, cancellation) aborts it and removes that file, and the connection can be
        used on. Nothing is ever continued that was begun earlier.

        Holes come as holes from daemons that know how, and become holes of the file: they take
        neither time nor room. From older ones they come as zeros, and are written as such.

        Args:
            target: The path of a file that does not exist yet, or an open binary file, which is
                written from where it stands and keeps what it got if the transfer fails.
            offset: Where in the volume to begin, in bytes.
            length: How many bytes to write; None is all up to the volume's end.
            sparse: False asks for zeros instead of holes.
            overwrite: True lets the new file take the place of one that exists, when it is
                complete. Devices and pipes are then written to directly.
            progress: Called as ``progress(done, total)`` with the bytes done so far, holes among
                them, and those there are in all (None where only the end will tell): at first, some
                ten times a second, and when all is there. What it raises aborts the download. With
                asyncio it may be a coroutine function; it runs in the event loop.

        Raises:
            UsageError: The volume has less than ``offset`` and ``length`` say; nothing was sent.
            OSError: The file cannot be written; ``filename`` names it. FileExistsError where it
                exists and ``overwrite`` is not given.
            TransferError: The daemon ended before all had come.
            NoStorageVolError: The volume is gone.
            OperationInvalidError: Its pool is not in use.
            OperationDeniedError: The connection is read-only.

        Procedures: STORAGE_VOL_GET_INFO, STORAGE_VOL_GET_INFO_FLAGS, STORAGE_VOL_GET_XML_DESC,
        STORAGE_VOL_DOWNLOAD (libvirt 0.9.0; holes from 3.4.0 on).
        """
        self._require_writable("download_to")
        from .transferring import download

        return await download(
            self,
            target,
            offset=offset,
            length=length,
            sparse=sparse,
            overwrite=overwrite,
            progress=progress,
        )
