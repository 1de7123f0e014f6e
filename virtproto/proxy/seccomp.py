"""A program's calls of ``connect``, held by the kernel until somebody has decided about them.

Responsible for seccomp's user notification as Linux has it: the filter, the notifications and their
answers, and for looking into a process that waits for one. Must not know what is connected to, or
why anybody wants to know.

Source: seccomp(2), seccomp_unotify(2), pidfd_getfd(2), openat2(2), linux/seccomp.h, linux/audit.h.
"""

from __future__ import annotations

import errno
import os
import re
from ctypes import CDLL, Structure, byref, c_char_p, c_long, c_ushort, get_errno
from fcntl import ioctl
from struct import Struct, calcsize

__all__ = [
    "Notification",
    "answer",
    "copy_descriptor",
    "hold_connects",
    "is_waiting",
    "let_through",
    "open_below",
    "read_memory",
    "receive",
    "unavailable",
]

# Of each kind of machine: what the kernel calls its system calls' table, and the numbers of
# seccomp and connect in there.
_MACHINES = {
    "x86_64": (0xC000003E, 317, 42),
    "aarch64": (0xC00000B7, 277, 203),
    "riscv64": (0xC00000F3, 277, 203),
    "loongarch64": (0xC0000102, 277, 203),
    "ppc64le": (0xC0000015, 358, 328),
    "ppc64": (0x80000015, 358, 328),
    "s390x": (0x80000016, 348, 362),
}
# The same numbers on all of them.
_PIDFD_GETFD = 438
_OPENAT2 = 437
_IN_ROOT = 0x10

# From this release on a listener learns that nobody is left who could ask it.
_OLDEST_KERNEL = (5, 9)

_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
# Once a call is looked at, only a signal that ends the program interrupts it (from Linux 5.19).
_WAIT_KILLABLE = 1 << 5
_PR_SET_NO_NEW_PRIVS = 38

_INSTRUCTION = Struct("=HBBI")
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _TABLE_AT = 0, 4
_HOLD, _ALLOW = 0x7FC00000, 0x7FFF0000

# struct seccomp_notif: id, pid, flags, then the call: number, table, instruction, six arguments.
_NOTIFICATION = Struct("=QIIiIQ6Q")
# struct seccomp_notif_resp: id, value, error, flags.
_ANSWER = Struct("=QqiI")
_ID = Struct("=Q")
# struct open_how: flags, mode, resolve.
_HOW = Struct("=3Q")
_CONTINUE = 1
_RECEIVE = 0xC0502100
_SEND = 0xC0182101
# The number with the wrong direction, which is the one that every kernel takes; PowerPC encodes
# directions its own way.
_IS_VALID, _IS_VALID_PPC = 0x80082102, 0x40082102
# What the kernel looks at of an address: more than any is long.
_ADDRESS_MAX = 128


class _Filter(Structure):
    _fields_ = [("length", c_ushort), ("instructions", c_char_p)]


class Notification:
    """One call of ``connect`` that waits: whose it is, and its three arguments."""

    __slots__ = ("address", "descriptor", "id", "size", "tid")

    def __init__(self, id: int, tid: int, descriptor: int, address: int, size: int) -> None:
        self.id = id
        self.tid = tid
        self.descriptor = descriptor
        self.address = address
        self.size = size


def unavailable() -> str | None:
    """Return why calls cannot be held here, None where they can.

    To be called before there are threads: a process is made that tries it.
    """
    system = os.uname()
    if system.sysname != "Linux" or system.machine not in _MACHINES or calcsize("P") != 8:
        return f"not known how on {system.sysname} {system.machine}"
    release = tuple(map(int, re.findall(r"\d+", system.release)[:2]))
    if release < _OLDEST_KERNEL:
        return f"Linux {system.release} is older than 5.9"
    try:
        _call(_PIDFD_GETFD, -1, 0, 0)
    except OSError as exc:
        if exc.errno != errno.EBADF:
            return f"pidfd_getfd is refused: {exc.strerror}"
    return _tried()


def _tried() -> str | None:
    child = os.fork()
    if child == 0:
        code = errno.EIO
        try:
            hold_connects()
            code = 0
        except OSError as exc:
            code = exc.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"seccomp is refused: {os.strerror(abs(code))}" if code else None


def hold_connects() -> int:
    """Have this process's calls of ``connect`` held from now on, and those of what it becomes.

    Returns the descriptor that is told of them. To be called in a process that is about to run
    a program: one that has no privileges of root's will not get any from set-user-id programs
    either. Raises OSError where the system does not allow it, or where somebody listens already.
    """
    table, number, connect = _MACHINES[os.uname().machine]
    instructions = b"".join(
        (
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _TABLE_AT),
            _INSTRUCTION.pack(_JUMP_IF_EQUAL, 0, 3, table),
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _NUMBER_AT),
            _INSTRUCTION.pack(_JUMP_IF_EQUAL, 0, 1, connect),
            _INSTRUCTION.pack(_RETURN, 0, 0, _HOLD),
            _INSTRUCTION.pack(_RETURN, 0, 0, _ALLOW),
        )
    )
    rules = _Filter(len(instructions) // _INSTRUCTION.size, instructions)

    def install(flags: int) -> int:
        return _call(number, _SET_MODE_FILTER, flags, byref(rules))

    def install_some() -> int:
        try:
            return install(_NEW_LISTENER | _WAIT_KILLABLE)
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
        return install(_NEW_LISTENER)

    try:
        return install_some()
    except OSError as exc:
        if exc.errno != errno.EACCES:
            raise
    _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return install_some()


def receive(listener: int) -> Notification | None:
    """Return a call that waits, None for one that was given up meanwhile. Waits for one."""
    memory = bytearray(_NOTIFICATION.size)
    try:
        ioctl(listener, _RECEIVE, memory)
    except (FileNotFoundError, InterruptedError):
        return None
    found, tid, _flags, _number, _table, _at, descriptor, address, size, *_ = _NOTIFICATION.unpack(
        memory
    )
    # Arguments are registers: of an int, and of a socklen_t, only the lower half counts.
    return Notification(found, tid, descriptor & 0xFFFFFFFF, address, size & 0xFFFFFFFF)


def is_waiting(listener: int, notification: Notification) -> bool:
    """Return whether the call still waits: what was read of its process is that process's then."""
    number = _IS_VALID_PPC if os.uname().machine.startswith("ppc") else _IS_VALID
    try:
        ioctl(listener, number, _ID.pack(notification.id))
    except OSError:
        return False
    return True


def let_through(listener: int, notification: Notification) -> None:
    """Have the kernel do the call as if nobody had asked."""
    _send(listener, _ANSWER.pack(notification.id, 0, 0, _CONTINUE))


def answer(listener: int, notification: Notification) -> bool:
    """Have the call return that it was done; return False if it does not wait any more."""
    return _send(listener, _ANSWER.pack(notification.id, 0, 0, 0))


def _send(listener: int, answered: bytes) -> bool:
    try:
        ioctl(listener, _SEND, answered)
    except OSError:
        # The call was given up, most often because its process has ended.
        return False
    return True


def read_memory(notification: Notification) -> bytes:
    """Return the address that is connected to, as the program gave it. Raises OSError."""
    size = min(notification.size, _ADDRESS_MAX)
    descriptor = os.open(f"/proc/{notification.tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, size, notification.address)
    except OverflowError as exc:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from exc
    finally:
        os.close(descriptor)


def copy_descriptor(pid: int, descriptor: int) -> int:
    """Return a descriptor of what ``descriptor`` is to the process ``pid``. Raises OSError."""
    process = os.pidfd_open(pid)
    try:
        return _call(_PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)


def open_below(root: int, path: bytes) -> int:
    """Return a descriptor (O_PATH) of what ``path`` is where the descriptor ``root`` is the root.

    No link leads out of it, whoever changes what meanwhile. Raises OSError.
    """
    how = _HOW.pack(os.O_PATH | os.O_CLOEXEC, 0, _IN_ROOT)
    return _call(_OPENAT2, root, c_char_p(path), c_char_p(how), len(how))


def _libc() -> CDLL:
    return CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    """Make a system call that has no function. Raises OSError."""
    function = _libc().syscall
    function.restype = c_long
    result: int = function(
        c_long(number), *(c_long(a) if isinstance(a, int) else a for a in arguments)
    )
    if result < 0:
        code = get_errno()
        raise OSError(code, os.strerror(code))
    return result
