"""``virtproto vol-upload`` and ``vol-download``: a volume's content from a file, and to one.

Responsible for what names a volume and a file on a command line, and for the way out when the
command is told to end: the transfer is given up properly, as it is for any exception. How content
travels is the business of ``StorageVol``.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack, contextmanager
from posixpath import basename

from virtproto import sync
from virtproto.cli.finding import find_volume
from virtproto.cli.progress import ProgressBar
from virtproto.cli.sizes import read_size
from virtproto.cli.table import visible
from virtproto.errors import TransferError, UsageError, VirtprotoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import BinaryIO, NoReturn

__all__ = ["run_download", "run_upload"]

# A file that is what the command reads from, or writes to.
_DASH = "-"


class _ToldToEndError(BaseException):
    """A signal came that ends the process; no error, so that nothing takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_upload(
    uri: str | None,
    pool: str,
    volume: str,
    file: str,
    *,
    offset: str,
    length: str | None,
    sparse: bool,
    quiet: bool,
) -> int:
    """Replace a volume's content by a file's; return the exit code.

    Raises UsageError, VirtprotoError.
    """
    start, count = _stretch(offset, length)
    source: str | BinaryIO = _input() if file == _DASH else file
    with ExitStack() as stack:
        stack.enter_context(_naming_files())
        found = find_volume(stack.enter_context(sync.open(uri)), pool, volume)
        bar = stack.enter_context(ProgressBar(visible(found.get_name()), shown=not quiet))
        try:
            stack.enter_context(_orderly_end())
            found.upload_from(
                source, offset=start, length=count, sparse=sparse, progress=bar.update
            )
        except _ToldToEndError as told:
            return 128 + told.number
    return 0


def run_download(
    uri: str | None,
    pool: str,
    volume: str,
    file: str,
    *,
    offset: str,
    length: str | None,
    sparse: bool,
    overwrite: bool,
    quiet: bool,
) -> int:
    """Write a volume's content to a file; return the exit code.

    Raises UsageError, VirtprotoError, and OSError where it is the command's output that cannot be
    written.
    """
    start, count = _stretch(offset, length)
    target: str | BinaryIO = file
    if file == _DASH:
        if sys.stdout.isatty():
            raise UsageError("FILE: a volume's content is not for a terminal; redirect the output")
        target = sys.stdout.buffer
    with ExitStack() as stack:
        stack.enter_context(_naming_files())
        found = find_volume(stack.enter_context(sync.open(uri)), pool, volume)
        label = visible(found.get_name() if file == _DASH else basename(file))
        bar = stack.enter_context(ProgressBar(label, shown=not quiet))
        try:
            stack.enter_context(_orderly_end())
            found.download_to(
                target,
                offset=start,
                length=count,
                sparse=sparse,
                overwrite=overwrite,
                progress=bar.update,
            )
        except _ToldToEndError as told:
            return 128 + told.number
    return 0


def _input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("FILE: the input is closed")
    return sys.stdin.buffer


def _stretch(offset: str, length: str | None) -> tuple[int, int | None]:
    return read_size("--offset", offset), None if length is None else read_size("--length", length)


@contextmanager
def _naming_files() -> Iterator[None]:
    """Turn the system's errors about a file into one that names it."""
    try:
        yield
    except VirtprotoError:
        # Some of them are the system's as well.
        raise
    except FileExistsError as error:
        raise TransferError(
            f"{visible(str(error.filename))} exists; --overwrite lets the new file take its place"
        ) from error
    except OSError as error:
        if error.filename is None or error.filename == "<stdout>":
            raise
        raise TransferError(f"{visible(str(error.filename))}: {error.strerror}") from error


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Have signals that end the process raise, as the one of the keyboard does by itself."""

    def told(number: int, frame: FrameType | None) -> NoReturn:
        raise _ToldToEndError(number)

    with ExitStack() as undo:
        for number in (signal.SIGHUP, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                undo.callback(signal.signal, number, before)
                signal.signal(number, told)
        yield
