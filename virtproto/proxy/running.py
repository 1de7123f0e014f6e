"""A program run in our stead: what it has of us, what reaches it, and how it ends.

Responsible for its start as if nobody stood in between, for signals, for its exit code, and for the
listener that its calls of ``connect`` are held by. Must not know where those are led.

The program has our terminal, our process group, input, output, descriptors and environment. What is
typed at the terminal reaches it by itself; other signals to us are passed on to it. We go on until
it has ended, so that all of it is seen.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import suppress
from ctypes import CDLL, byref, c_ulong, sizeof
from struct import Struct

from virtproto.proxy import seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from virtproto.proxy.steering import Loop

__all__ = ["Command", "NOT_EXECUTABLE", "NOT_FOUND", "Signals", "exit_code"]

# As shells have them.
NOT_EXECUTABLE, NOT_FOUND, BY_SIGNAL = 126, 127, 128

# Signals that a user means for the program when he sends them to us.
_PASSED_ON = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# What Python itself ignores, or we change, and programs expect as the system has it.
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)

# struct signalfd_siginfo: number, errno, code, process; and its size.
_SIGNAL = Struct("=IiiI")
_SIGNAL_SIZE = 128
_SFD_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK
# The code of a signal that the system itself sends: of keys that were typed, most often.
_BY_KERNEL = 0x80

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
_SAID_MAX = 64
_SHELL = "/bin/sh"


class Signals:
    """Those that would end us, and the news of our children: read one by one in a loop instead.

    A context manager: signals are as before at its end. For the main thread.
    """

    NEWS = signal.SIGCHLD

    def __init__(self) -> None:
        self._numbers = (*_PASSED_ON, signal.SIGCHLD)
        self._before: set[int] = set()
        self._child_before: object = None
        self._fd = -1
        # What is to be done about one: its number, whether it came of the system, and its sender.
        self.when: Callable[[int, bool, int], object] = lambda _number, _by_system, _sender: None

    def __enter__(self) -> Signals:
        # Ignored it would let nobody learn of a child's end.
        self._child_before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._before = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers))
        self._fd = _signal_descriptor(self._numbers)
        return self

    def __exit__(self, *failure: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        # What came and was not read was meant for a program that is not there any more.
        while signal.sigtimedwait(self._numbers, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
        if self._child_before is not None:
            signal.signal(signal.SIGCHLD, self._child_before)  # type: ignore[arg-type]

    def restore_for_program(self) -> None:
        """In the child: have signals as they were when we were begun, as far as that is known."""
        if self._child_before == signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for number in _OF_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def attend(self, loop: Loop) -> None:
        """Call ``when`` from now on, in ``loop``, for each that comes."""
        loop.watch(self._fd, self._read)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, _SIGNAL_SIZE)
            except BlockingIOError:
                return
            number, _error, code, sender = _SIGNAL.unpack_from(data)
            self.when(number, code == _BY_KERNEL, sender)


def _signal_descriptor(numbers: Sequence[int]) -> int:
    width = 8 * sizeof(c_ulong)
    words = (c_ulong * (1024 // width))()
    for number in numbers:
        words[(number - 1) // width] |= 1 << (number - 1) % width
    descriptor: int = CDLL(None, use_errno=True).signalfd(-1, byref(words), _SFD_CLOEXEC_NONBLOCK)
    if descriptor < 0:
        raise OSError("the system gives no signalfd")
    return descriptor


class Command:
    """A program that was started: its process, and what holds its calls of ``connect``.

    ``listener`` is seccomp's descriptor where they are held, which is for the caller to close.
    ``code`` is the exit code once it has ended. A program that cannot be run is one that has ended,
    and ``failure`` is the system's error then.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], signals: Signals, *, hold: bool
    ) -> None:
        """Start ``argv`` with ``environ``; ``signals`` is entered already.

        ``hold``: have its calls of ``connect`` held, and those of what it runs. Raises OSError
        where there can be no further process.
        """
        self.code: int | None = None
        self.listener: int | None = None
        self.failure: OSError | None = None
        self._signals = signals
        # One message for each thing that is said.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                self.pid = os.fork()
                if self.pid == 0:
                    self._become(argv, environ, theirs, hold)
            self._hear(ours, hold)

    def attend(
        self, loop: Loop, when_ended: Callable[[], object], when_told: Callable[[], object]
    ) -> None:
        """Pass on signals from now on, and call ``when_ended`` when the program has ended.

        Both happen in ``loop``, the latter maybe more than once. ``when_told`` is called for a
        signal that comes later, and then can only mean us.
        """

        def see(number: int, by_system: bool, sender: int) -> None:
            if number == signal.SIGCHLD:
                if self._see_end():
                    when_ended()
            elif self.code is not None:
                when_told()
            elif not by_system and sender != self.pid:
                # Keys reach the program by themselves, and so does what it sends to its group.
                os.kill(self.pid, number)

        self._signals.when = see
        self._signals.attend(loop)
        try:
            # One that has ended already is a number that may be anybody's by now.
            ended = os.pidfd_open(self.pid) if self.code is None else os.eventfd(1, os.EFD_CLOEXEC)
        except OSError:
            # A system that has none has SIGCHLD, which only a stranger's thread could keep from us.
            return

        def look() -> None:
            loop.unwatch(ended)
            os.close(ended)
            if self._see_end():
                when_ended()

        loop.watch(ended, look)

    def end(self) -> None:
        """Wait for the program's end, whatever it takes, where that was not seen yet."""
        if self.code is None:
            self.code = exit_code(os.waitpid(self.pid, 0)[1])

    def _see_end(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = exit_code(status)
        return self.code is not None

    def _hear(self, ours: socket.socket, hold: bool) -> None:
        """Learn from the child how its start went: it says nothing more once it is the program."""
        if hold:
            _said, descriptors, _, _ = socket.recv_fds(ours, _SAID_MAX, 1)
            for each in descriptors:
                os.set_inheritable(each, False)
                self.listener = each
        said = ours.recv(_SAID_MAX)
        if said:
            code = int(said)
            self.failure = OSError(code, os.strerror(code))
            os.waitpid(self.pid, 0)
            self.code = NOT_FOUND if code in _NOT_THERE else NOT_EXECUTABLE

    def _become(
        self, argv: Sequence[str], environ: Mapping[str, str], theirs: socket.socket, hold: bool
    ) -> NoReturn:
        """In the child: become the program."""
        code = errno.EIO
        try:
            self._signals.restore_for_program()
            if hold:
                listener = seccomp.hold_connects()
                socket.send_fds(theirs, [b"held"], [listener])
                os.close(listener)
            _execute(list(argv), environ)
        except OSError as exc:
            code = exc.errno or code
        finally:
            with suppress(OSError):
                theirs.sendall(b"%d" % code)
            os._exit(NOT_EXECUTABLE)


def exit_code(status: int) -> int:
    """Return the exit code that shells give for what ``waitpid`` tells."""
    code = os.waitstatus_to_exitcode(status)
    return BY_SIGNAL - code if code < 0 else code


def _execute(argv: list[str], environ: Mapping[str, str]) -> None:
    """Become a program, which is looked for where the environment says. Raises OSError."""
    name = argv[0]
    if not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if "/" in name:
        places = [name]
    else:
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        places = [os.path.join(folder or ".", name) for folder in folders]
    refused: OSError | None = None
    for place in places:
        try:
            os.execve(place, argv, environ)
        except FileNotFoundError as exc:
            failure: OSError = exc
        except NotADirectoryError as exc:
            failure = exc
        except OSError as exc:
            if exc.errno == errno.ENOEXEC:
                # A script that does not say whose: the shell's.
                os.execve(_SHELL, [_SHELL, place, *argv[1:]], environ)
            failure = refused = refused or exc
    raise refused or failure
