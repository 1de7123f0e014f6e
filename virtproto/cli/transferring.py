"""``virtproto vol-upload`` and ``vol-download``: a volume's content from a file, and to one.

Responsible for what names a volume and a file on a command line, and for the way out when the
command is told to end: the transfer is given up properly, as it is for any exception. How content
travels is the business of ``StorageVol``.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, contextmanager
from posixpath import basename

from virtproto.cli.finding import find_volume
from virtproto.cli.opening import open_connection
from virtproto.cli.progress import ProgressBar
from virtproto.cli.sizes import read_size
from virtproto.cli.table import visible
from virtproto.errors import TransferError, UsageError, VirtprotoError
from virtproto.model.replies import CLOSE_TIMEOUT_S
from virtproto.transport.deadline import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import BinaryIO, Self

__all__ = ["run_download", "run_upload"]

_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

# A file that is what the command reads from, or writes to.
_DASH = "-"


# How arguments of the methods are written on a command line.
_WRITTEN = {"offset": "--offset", "length": "--length", "source": "FILE", "target": "FILE"}


class _ToldToEndError(BaseException):
    """A signal came that ends the process; no error, so that nothing takes it for one."""


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
    with _OrderlyEnd() as end, _spoken(), open_connection(uri) as connection:
        found = find_volume(connection, pool, volume)
        with ProgressBar(visible(found.get_name()), shown=not quiet) as bar:
            found.upload_from(
                source, offset=start, length=count, sparse=sparse, progress=bar.update
            )
    return end.code


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
    spoken = _spoken(of_output=file == _DASH)
    with _OrderlyEnd() as end, spoken, open_connection(uri) as connection:
        found = find_volume(connection, pool, volume)
        label = visible(found.get_name() if file == _DASH else basename(file))
        with ProgressBar(label, shown=not quiet) as bar:
            found.download_to(
                target,
                offset=start,
                length=count,
                sparse=sparse,
                overwrite=overwrite,
                progress=bar.update,
            )
    return end.code


def _input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("FILE: the input is closed")
    return sys.stdin.buffer


def _stretch(offset: str, length: str | None) -> tuple[int, int | None]:
    count = None if length is None else read_size("--length", length)
    if count == 0:
        raise UsageError("--length: 0 bytes; leave it out for all there are")
    return read_size("--offset", offset), count


@contextmanager
def _spoken(*, of_output: bool = False) -> Iterator[None]:
    """Turn errors into what is said on a command line: options by name, the system's with the file.

    Those of the command's own output are left to whoever speaks of that.
    """
    try:
        yield
    except UsageError as error:
        parameter, colon, rest = str(error).partition(":")
        if parameter not in _WRITTEN:
            raise
        raise type(error)(f"{_WRITTEN[parameter]}{colon}{rest}") from error
    except VirtprotoError:
        # Some of them are the system's as well.
        raise
    except OSError as error:
        if of_output or error.filename is None:
            raise
        name = visible(str(error.filename))
        raise TransferError(f"{name}{_what_is_wrong(error)}") from error


def _what_is_wrong(error: OSError) -> str:
    """Return the end of a message about a file."""
    if os.path.isdir(error.filename):
        return " is a directory; name a file"
    if not isinstance(error, FileExistsError):
        return f": {error.strerror}"
    if os.path.isfile(error.filename):
        return " exists; --overwrite lets the new file take its place"
    return " exists, and is no file; --overwrite writes to it as it is"


class _OrderlyEnd:
    """Has signals that end the process raise, and end the block with a signal's exit code instead.

    All that is to be tidied up on the way out has `CLOSE_TIMEOUT_S` together, also where a daemon
    takes and says nothing. A context manager, for the main thread. What the process was told to
    ignore stays ignored.
    """

    def __init__(self) -> None:
        self.code = 0
        self._inside = False
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._inside = True
        for number in _ENDING:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._undo.callback(signal.signal, number, before)
                signal.signal(number, self._told)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._inside = False
        self._undo.close()
        return isinstance(error, _ToldToEndError)

    def _told(self, number: int, frame: FrameType | None) -> None:
        self.code = self.code or 128 + number
        if self._inside:
            self._undo.enter_context(deadline(CLOSE_TIMEOUT_S))
            raise _ToldToEndError
