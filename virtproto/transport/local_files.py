"""Files on this machine that a volume's content is read from or written to, holes and all.

Responsible for opening what a caller named, or taking what he opened; for finding and making holes;
for a new file having its name only once it is whole; and for errors that name the file. Must not
know volumes or streams. All of it may block: callers that must not, call it in a thread.
"""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from stat import S_ISBLK, S_ISREG

from virtproto.errors import ArgumentTypeError, TransferError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, BinaryIO, NoReturn, TypeAlias

    # What a caller may name a file by.
    Named: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
    AnyFile: TypeAlias = Named | BinaryIO

__all__ = ["Source", "Target"]

# Zeros are written in pieces of this size where holes cannot be made.
_ZEROS = 1 << 20
# How many descriptors of memory one writev takes; Linux has 1024.
_PARTS_MAX = 512


class _OpenFile:
    """What sources and targets have in common: a file with a name, opened here or by the caller."""

    def __init__(self, parameter: str, value: AnyFile, method: str) -> None:
        self.file: BinaryIO | None = None
        # Where the bytes are, if the system knows the file by one; it may be the caller's.
        self.fd = -1
        self._own_fd = False
        self.path: str | None = None
        if isinstance(value, str | bytes | os.PathLike):
            self.path = os.fsdecode(value)
            if not self.path:
                raise UsageError(f"{parameter}: a path is required, not an empty text")
            if "\0" in self.path:
                raise UsageError(f"{parameter}: a NUL character may not stand in a path")
            self._label: object = self.path
        else:
            if not callable(getattr(value, method, None)):
                kind = type(value).__name__
                raise ArgumentTypeError(
                    f"{parameter}: expected a path or a binary file, not {kind}"
                )
            self.file = value
            self._label = getattr(value, "name", None) or f"<{type(value).__name__}>"
            _check_mode(parameter, value, method, repr(self._label))
        self.name = repr(self._label)

    def refuse(self, error: OSError) -> NoReturn:
        """Raise an operating system's error with the file's name in it."""
        if error.errno is None:
            raise error
        raise OSError(error.errno, error.strerror, self._label) from error

    def _descriptor_behind(self, file: BinaryIO) -> int:
        """Return the descriptor that a file object does nothing but read or write, or -1."""
        raw = getattr(file, "raw", file)
        plain = isinstance(file, io.BufferedReader | io.BufferedWriter | io.BufferedRandom)
        return raw.fileno() if isinstance(raw, io.FileIO) and (plain or raw is file) else -1

    def close_descriptor(self) -> None:
        """Close what was opened here."""
        if self._own_fd:
            self._own_fd = False
            fd, self.fd = self.fd, -1
            os.close(fd)


class Source(_OpenFile):
    """A file to be read from its beginning, or a file object from where it stands.

    ``size`` is how many bytes there are to read, None where only reading tells (pipes).
    """

    def __init__(self, parameter: str, value: AnyFile, length: int | None) -> None:
        super().__init__(parameter, value, "read")
        self.size: int | None = None
        self._length = length
        # Where the next byte is in ``fd``, or how many were read of what has no places.
        self._place = 0
        # The end, and the size when it was looked at first, if ``fd`` can tell.
        self._end = 0
        self._size_at_first: int | None = None
        self._has_holes = True
        # The descriptor behind a caller's file that is a terminal.
        self._terminal = -1

    def open(self) -> None:
        """Open the file, if it is not, and look how much there is to read.

        Raises OSError, UsageError where there is less than asked for.
        """
        try:
            if self.path is not None:
                self._open(self.path)
            self._measure()
        except OSError as error:
            self.refuse(error)
        if self._length is not None:
            self._shorten(self._length)

    def _open(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._own_fd = True

    def _measure(self) -> None:
        """Find out how much there is to read, from where on."""
        if self.file is not None:
            self.fd = self._descriptor_behind(self.file)
        if self.fd >= 0:
            mode = os.fstat(self.fd).st_mode
            if S_ISREG(mode) or S_ISBLK(mode):
                if self.file is not None:
                    self._place = self.file.tell()
                self._size_at_first = self._end = self._size_now()
                self.size = max(0, self._end - self._place)
                return
            if self.file is None:
                # A folder is refused here; a pipe is read as it comes.
                self.file = io.FileIO(self.fd, "rb", closefd=False)
            elif os.isatty(self.fd):
                self._terminal = self.fd
            self.fd = -1 if not self._own_fd else self.fd
        elif self.file is not None and self.file.seekable():
            here = self.file.tell()
            self.size = max(0, self.file.seek(0, os.SEEK_END) - here)
            self.file.seek(here)

    def _shorten(self, length: int) -> None:
        if self.size is not None:
            if length > self.size:
                raise UsageError(f"length: {length} bytes; {self.name} has {self.size}")
            self._end = self._place + length
        self.size = length

    def _size_now(self) -> int:
        here = os.lseek(self.fd, 0, os.SEEK_CUR)
        end = os.lseek(self.fd, 0, os.SEEK_END)
        os.lseek(self.fd, here, os.SEEK_SET)
        return end

    @property
    def is_regular(self) -> bool:
        """Whether ``fd`` can be read at any place."""
        return self._size_at_first is not None

    @property
    def place(self) -> int:
        """Where in ``fd`` the next byte is."""
        return self._place

    def next_section(self, *, find_holes: bool) -> tuple[bool, int | None]:
        """Return (whether data comes next, how much of it); 0 at the end, None for unknown."""
        if not self.is_regular:
            return True, None if self.size is None else self.size - self._place
        left = self._end - self._place
        if left <= 0 or not (find_holes and self._has_holes):
            return True, max(0, left)
        try:
            data_at = min(os.lseek(self.fd, self._place, os.SEEK_DATA), self._end)
            if data_at > self._place:
                return False, data_at - self._place
            return True, min(os.lseek(self.fd, self._place, os.SEEK_HOLE), self._end) - self._place
        except OSError as error:
            if error.errno == errno.ENXIO:
                # No data up to the end; should the file have shrunk that is seen later.
                return False, left
            # The file system does not tell.
            self._has_holes = False
            return True, left

    def skip(self, length: int) -> None:
        """Pass a hole, or what was read by other means."""
        self._place += length

    def foresee(self, distance: int, nbytes: int) -> None:
        """Tell the system that so much is read soon, that far behind the next byte."""
        if self.is_regular and nbytes:
            with suppress(OSError):
                os.posix_fadvise(self.fd, self._place + distance, nbytes, os.POSIX_FADV_WILLNEED)

    def read(self, nbytes: int) -> bytes:
        """Return the next bytes, at most ``nbytes``; b"" only at the end of what has no size.

        Raises TransferError where a file has less than it had.
        """
        try:
            if self.is_regular:
                data = os.pread(self.fd, min(nbytes, self._end - self._place), self._place)
            else:
                data = self._checked(self._read_file(nbytes))
        except OSError as error:
            self.refuse(error)
        self._place += len(data)
        if not data and nbytes and self.size is not None:
            what = ": it has shrunk" if self.is_regular else f"; {self.size} were expected"
            raise TransferError(f"{self.name} ended after {self._place} bytes{what}")
        return data

    def _read_file(self, nbytes: int) -> Any:
        file: Any = self.file
        read_line = getattr(file, "read1", None) if self._terminal >= 0 else None
        if read_line is not None:
            # A terminal says once that it has ended, and who reads on waits for the next line.
            line = read_line(nbytes)
            if line or os.get_blocking(self._terminal):
                return line
        return file.read(nbytes)

    def _checked(self, data: Any) -> bytes:
        if isinstance(data, bytes | bytearray | memoryview):
            return bytes(data)
        what = "has nothing to read yet" if data is None else "is open for text, not for bytes"
        raise ArgumentTypeError(f"source: {self.name} {what}")

    def check_unchanged(self) -> None:
        """Raise TransferError where the file has another size than at first."""
        if self.is_regular and (now := self._size_now()) != self._size_at_first:
            asked_for_less = self._length is not None and now >= self._end
            if not asked_for_less:
                raise TransferError(
                    f"{self.name} had {self._size_at_first} bytes and has {now} now"
                )

    def close(self) -> None:
        """Close what was opened here; leave the caller's file behind what was read."""
        if self.file is not None and self.is_regular:
            self.file.seek(self._place)
        self.close_descriptor()


class Target(_OpenFile):
    """A file to be written: a new one, which has its name only when it is complete, or a given one.

    A path whose file exists is refused unless ``overwrite``; the new file takes its place when it
    is complete. A device or pipe is written to as it is.
    """

    def __init__(self, parameter: str, value: AnyFile, *, overwrite: bool) -> None:
        super().__init__(parameter, value, "write")
        self._overwrite = overwrite
        # What a new file is called at first, and when it is complete.
        self._temporary: str | None = None
        self._final = ""
        self._place = 0
        # How long a regular file is already: holes behind that need nothing but a new size.
        self._size = 0
        self._seeks = False
        self._hole_at_end = False

    def open(self) -> None:
        """Make the new file, or make ready to write to the given one. Raises OSError."""
        try:
            if self.path is not None:
                self._open(self.path)
            else:
                self._take()
        except OSError as error:
            self.refuse(error)

    def _open(self, path: str) -> None:
        try:
            there = os.stat(path)
        except FileNotFoundError:
            there = None
        if there is not None and not self._overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if there is not None and not S_ISREG(there.st_mode):
            self.fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            self._own_fd = True
            return
        # A link goes on leading where it leads.
        self._final = os.path.realpath(path)
        folder, name = os.path.split(self._final)
        temporary = os.path.join(folder, f".{name[:50]}.{os.urandom(4).hex()}.partial")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._temporary = temporary
        self.fd = os.open(temporary, flags, 0o666)
        self._own_fd = True
        self._seeks = True
        if there is not None:
            os.fchmod(self.fd, there.st_mode & 0o7777)

    def _take(self) -> None:
        """Write through the caller's file, past its object where that does nothing else."""
        assert self.file is not None
        fd = self._descriptor_behind(self.file)
        if fd < 0:
            return
        self.file.flush()
        self.fd = fd
        found = os.fstat(fd)
        if S_ISREG(found.st_mode) and not _appends(fd):
            self._place = self.file.tell()
            os.lseek(fd, self._place, os.SEEK_SET)
            self._size = found.st_size
            self._seeks = True

    def write(self, parts: Sequence[bytes]) -> None:
        """Write pieces, one after another, all of them."""
        try:
            if self.fd < 0:
                assert self.file is not None
                for part in parts:
                    self._write_object(part)
            else:
                self._write_descriptor(parts)
        except OSError as error:
            self.refuse(error)

    def _write_object(self, part: bytes) -> None:
        view = memoryview(part)
        while view:
            # Raw files may take less than all, and say None where they would have to wait.
            taken = self.file.write(view)  # type: ignore[union-attr]
            view = view[taken:] if isinstance(taken, int) else view[len(view) :]
        self._place += len(part)

    def _write_descriptor(self, parts: Sequence[bytes]) -> None:
        for start in range(0, len(parts), _PARTS_MAX):
            some = parts[start : start + _PARTS_MAX]
            written = os.writev(self.fd, some)
            self._place += written
            for part in some:
                # What did not fit in: once more, for the reason.
                rest = memoryview(part)[min(written, len(part)) :]
                written = max(0, written - len(part))
                while rest:
                    count = os.write(self.fd, rest)
                    self._place += count
                    rest = rest[count:]
        self._hole_at_end = False

    def skip(self, length: int) -> None:
        """Make a hole, or what reads as one."""
        try:
            if not self._seeks:
                self._write_zeros(length)
                return
            inside = min(length, max(0, self._size - self._place))
            if inside and not self._punch(inside):
                self._write_zeros(inside)
                length -= inside
            if length:
                self._place = os.lseek(self.fd, length, os.SEEK_CUR)
                self._hole_at_end = True
        except OSError as error:
            self.refuse(error)

    def _punch(self, length: int) -> bool:
        """Turn a part of what the file has into a hole; False where that is not to be had."""
        from .holes import punch_hole

        return punch_hole(self.fd, self._place, length)

    def _write_zeros(self, length: int) -> None:
        zeros = bytes(min(length, _ZEROS))
        while length:
            piece = zeros[:length]
            if self.fd < 0:
                self._write_object(piece)
            else:
                self._write_descriptor([piece])
            length -= len(piece)

    def complete(self) -> None:
        """Give the file its length and its name; close what was opened here."""
        try:
            if self._hole_at_end and self._place > self._size:
                os.ftruncate(self.fd, max(self._place, os.fstat(self.fd).st_size))
            if self.file is not None and self._seeks:
                self.file.seek(self._place)
            self.close_descriptor()
            if self._temporary is not None:
                self._name_it(self._temporary)
        except OSError as error:
            self.refuse(error)

    def _name_it(self, temporary: str) -> None:
        if self._overwrite:
            os.replace(temporary, self._final)
        else:
            try:
                # Unlike a rename it does not replace what came to be there meanwhile.
                os.link(temporary, self._final)
            except FileExistsError:
                raise
            except OSError:
                # A file system without links.
                if os.path.lexists(self._final):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
                os.rename(temporary, self._final)
            else:
                os.unlink(temporary)
        self._temporary = None

    def discard(self) -> None:
        """Remove what was not completed, and close what was opened here; nothing after `complete`.

        What a caller's own file, a device or a pipe got stays there.
        """
        with suppress(OSError):
            self.close_descriptor()
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)


def _check_mode(parameter: str, file: Any, method: str, name: str) -> None:
    """Raise UsageError or ArgumentTypeError for a file object that is open for something else."""
    if getattr(file, "closed", False):
        raise UsageError(f"{parameter}: {name} is closed")
    # What wraps a text file is none itself, but has its encoding.
    if isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None:
        raise ArgumentTypeError(f"{parameter}: {name} is open for text, not for bytes")
    tells, doing = {"read": ("readable", "reading"), "write": ("writable", "writing")}[method]
    can = getattr(file, tells, None)
    if callable(can) and not can():
        raise UsageError(f"{parameter}: {name} is not open for {doing}")


def _appends(fd: int) -> bool:
    """Return whether all that is written to a descriptor goes to the file's end."""
    from fcntl import F_GETFL, fcntl

    return bool(fcntl(fd, F_GETFL) & os.O_APPEND)
