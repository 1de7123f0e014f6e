"""A recording that is written to a file while conversations go on.

Responsible for the file, who may read it, and that secrets do not get into it unless they shall.
Must not know where records come from, or what is printed of them.
"""

from __future__ import annotations

import os
import stat
from time import monotonic

from virtproto.errors import UsageError
from virtproto.trace.recording import pack_head, pack_record
from virtproto.trace.secrets.masking import mask_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from gzip import GzipFile
    from typing import Any, BinaryIO

    from virtproto.trace.recording import Record
    from virtproto.trace.telling import Told

__all__ = ["RecordingFile"]

_MODE = 0o600
# How often what is compressed is written although it is little.
_FLUSH_S = 1.0


class RecordingFile:
    """A file that records are kept in, compressed if its name ends in ``.gz``.

    Secrets are overwritten unless ``show_secrets``. ``failure`` is why nothing more can be written,
    None while all is well.
    """

    def __init__(self, path: str, *, overwrite: bool = False, show_secrets: bool = False) -> None:
        """Make the file, for its owner to read only.

        Raises UsageError where it exists and is not to be overwritten, or cannot be made.
        """
        self.path = path
        self.failure: OSError | None = None
        self._show_secrets = show_secrets
        how = os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, _MODE)
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.fchmod(self._fd, _MODE)
        except FileExistsError:
            raise UsageError(f"--record: {path} exists already; --overwrite replaces it") from None
        except OSError as exc:
            raise UsageError(f"--record: {path} cannot be written: {exc.strerror or exc}") from None
        # Made when writing begins: by whoever does that, in its own process.
        self._raw: BinaryIO | None = None
        self._file: BinaryIO | GzipFile | None = None
        self._flushed_s = monotonic()

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write the head: ``about`` as the records' source has it, and whether secrets are left."""
        self._raw = self._file = os.fdopen(self._fd, "wb")
        if self.path.endswith(".gz"):
            import gzip

            # The time of the first record is in the head already.
            self._file = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._raw, mtime=0)
        self._write(pack_head({**about, "masked": not self._show_secrets}))

    def keep(self, record: Record, told: Sequence[Told]) -> None:
        """Write a record, which told so."""
        if not self._show_secrets:
            record = mask_record(record, told[0] if told else None)
        time_us = round(record.time_s * 1e6)
        self._write(
            pack_record(record.kind, record.flags, record.conversation, time_us, record.body)
        )

    def rest(self) -> None:
        """Let others see what was written: to be called when nothing more is at hand."""
        if self._file is None or self.failure is not None:
            return
        now = monotonic()
        if self._file is not self._raw and now - self._flushed_s < _FLUSH_S:
            return
        self._flushed_s = now
        try:
            self._file.flush()
        except OSError as exc:
            self.failure = exc

    def finish(self) -> None:
        """Write what is left and close the file."""
        for file in (self._file, self._raw):
            try:
                if file is not None:
                    file.close()
            except OSError as exc:
                self.failure = self.failure or exc

    def _write(self, data: bytes) -> None:
        if self._file is None or self.failure is not None:
            return
        try:
            self._file.write(data)
        except OSError as exc:
            self.failure = exc
