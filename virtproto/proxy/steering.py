"""A program's connections to libvirt's sockets, led somewhere else without its noticing.

Responsible for deciding which calls of ``connect`` are meant for a libvirt daemon, for reading from
the calling process where exactly that is, and for connecting its own socket to one of ours. Must
not know what becomes of the connection then.

The program's socket itself is connected, while its call waits: so it has the descriptor, the flags
and the options that the program gave it, whether it blocks or not.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from contextlib import suppress
from select import POLLIN, poll

from virtproto.proxy import seccomp
from virtproto.proxy.peers import peer_credentials
from virtproto.proxy.standby import Standby

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Protocol, TypeAlias

    class Loop(Protocol):
        """What waits for descriptors: a `carriage.Carriage`, or what does so in its stead."""

        def watch(self, fd: int, callback: Callable[[], object]) -> None:
            """Have ``callback()`` called whenever something can be read of ``fd``."""

        def unwatch(self, fd: int) -> None:
            """End that."""

    # Given a program's destination, what is to be done with the connection: None to let the
    # program go there by itself, else what is called with the other end of its socket.
    Lead: TypeAlias = "Callable[[Target], Callable[[socket.socket], object] | None]"

__all__ = ["Steering", "Target", "connect_to", "is_libvirt_socket"]

# The sockets of libvirtd and of the daemons of one driver each, for all, for readers, and for their
# administration. Those of virtlogd and virtlockd are the daemons' own business.
_NAMES = re.compile(rb"(libvirt(-admin)?|virt(?!log|lock)[a-z0-9]*d(-admin)?)-sock(-ro)?")
_SO_COOKIE = 57
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: whoever has them goes where permissions forbid it.
_PAST_PERMISSIONS = 1 << 1 | 1 << 2
# Calls that are decided about at one go, so that conversations have their turn.
_AT_ONCE = 16


class Target:
    """Where a program wants to go: ``path`` as it is for this process, and as the program said it.

    ``pid`` and ``program`` tell who wants to; ``said`` begins with a NUL where it is abstract.
    ``place`` is a descriptor that ``path`` leads by, None where it does without; see `close`.
    """

    __slots__ = ("path", "pid", "place", "program", "said")

    def __init__(
        self, said: bytes, path: bytes, pid: int, program: str, place: int | None = None
    ) -> None:
        self.said = said
        self.path = path
        self.pid = pid
        self.program = program
        self.place = place

    def close(self) -> None:
        """Do without ``path`` from now on."""
        place, self.place = self.place, None
        if place is not None:
            os.close(place)

    @property
    def name(self) -> str:
        """What messages call it."""
        text = os.fsdecode(self.said)
        return "@" + text[1:].rstrip("\0") if text.startswith("\0") else text

    def about(self) -> dict[str, object]:
        """Return what is known of the conversation, for its record."""
        program = self.program.encode(errors="backslashreplace").decode()
        name = self.name.encode(errors="backslashreplace").decode()
        return {"client": program, "pid": self.pid, "daemon": name}


def is_libvirt_socket(said: bytes, others: Collection[bytes] = ()) -> bool:
    """Return whether a unix socket's path is one of libvirt's, or among ``others``.

    Abstract ones begin with a NUL, and what fills them up at the end does not count.
    """
    said = said.rstrip(b"\0") if said.startswith(b"\0") else said
    return said in others or _NAMES.fullmatch(os.path.basename(said)) is not None


class Steering:
    """The connections of one program and of all that it runs, as a listener is told of them."""

    def __init__(
        self,
        listener: int,
        lead: Lead,
        *,
        others: Collection[bytes] = (),
        note: Callable[[str], object] = lambda _text: None,
    ) -> None:
        """Take over ``listener``, which is seccomp's.

        ``others`` are paths that are led to ``lead`` as well, although their names are not
        libvirt's. ``note`` is told what could not be steered. Raises OSError.
        """
        self._listener = listener
        self._lead = lead
        self._others = frozenset(others)
        self._note = note
        # From the first on: this process may be ended by force.
        self._standby = Standby(listener)
        self._meeting = _Meeting()
        self._loop: Loop | None = None
        # Sockets that were connected for a call that was not waiting any more then.
        self._untold: set[bytes] = set()
        # How many connections were led, and how many were to be but could not.
        self.count = 0
        self.missed = 0

    def attend(self, loop: Loop) -> None:
        """Decide from now on, in ``loop``, about every call."""
        self._loop = loop
        loop.watch(self._listener, self._decide_some)

    @property
    def has_ended(self) -> bool:
        """Whether nobody is left who could ask."""
        return self._listener < 0

    def close(self) -> None:
        """Ask nobody's leave any more; may be called twice.

        Programs that still run are let through from then on, by a process that lasts as long as
        they do.
        """
        self._end()
        self._meeting.close()

    def _end(self) -> None:
        if self._listener >= 0:
            if self._loop is not None:
                self._loop.unwatch(self._listener)
            os.close(self._listener)
            self._listener = -1
            self._standby.close()

    def _decide_some(self) -> None:
        waiting = poll()
        waiting.register(self._listener, POLLIN)
        for _ in range(_AT_ONCE):
            events = waiting.poll(0)
            if not events:
                return
            if not events[0][1] & POLLIN:
                self._end()
                return
            notification = seccomp.receive(self._listener)
            if notification is not None:
                self._decide(notification)

    def _decide(self, notification: seccomp.Notification) -> None:
        led = False
        target = None
        try:
            target = self._target(notification)
            if target is not None:
                led = self._steer(notification, target)
        except OSError as exc:
            # Most often: the process has ended meanwhile.
            if seccomp.is_waiting(self._listener, notification):
                self._miss(f"a connection could not be looked at: {exc.strerror or exc}")
        finally:
            if target is not None:
                target.close()
            if not led:
                seccomp.let_through(self._listener, notification)

    def _target(self, notification: seccomp.Notification) -> Target | None:
        address = seccomp.read_memory(notification)
        # Only now is it certain that it was that process's memory.
        if not seccomp.is_waiting(self._listener, notification):
            return None
        said = _unix_name(address)
        if said is None or not is_libvirt_socket(said, self._others):
            return None
        tid = notification.tid
        status = _status(tid)
        program = " ".join(status["Name"]) or "?"
        if not _is_our_user(status):
            self._miss(f"{program} runs as another user than this command: not overheard")
            return None
        if not _has_our_rights(tid, status):
            self._miss(f"{program} may do less than this command: not overheard")
            return None
        pid = int(status["Tgid"][0])
        if said.startswith(b"\0"):
            if _same(tid, "ns/net"):
                return Target(said, said, pid, program)
        elif _same(tid, "root") and _same(tid, "ns/mnt"):
            here = said if said.startswith(b"/") else b"/proc/%d/cwd/%s" % (tid, said)
            return Target(said, here, pid, program)
        elif said.startswith(b"/"):
            place = _below_root(tid, said)
            # Where nothing is, nothing is reached, as the program is going to see itself.
            here = b"" if place is None else b"/proc/self/fd/%d" % place
            return Target(said, here, pid, program, place)
        self._miss(f"{os.fsdecode(said)} of {program} is in a place of its own: not overheard")
        return None

    def _steer(self, notification: seccomp.Notification, target: Target) -> bool:
        """Connect the program's socket to one of ours; return whether that was done."""
        theirs = socket.socket(fileno=seccomp.copy_descriptor(target.pid, notification.descriptor))
        with theirs:
            if theirs.family != socket.AF_UNIX or theirs.type != socket.SOCK_STREAM:
                return False
            cookie = theirs.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)
            if cookie in self._untold:
                # The same call again, which a signal interrupted when this was done for it.
                self._untold.discard(cookie)
                return seccomp.answer(self._listener, notification)
            if _is_connected(theirs):
                return False
            deliver = self._lead(target)
            if deliver is None or not seccomp.is_waiting(self._listener, notification):
                return False
            near = self._meeting.bring(theirs)
            if not seccomp.answer(self._listener, notification):
                self._untold.add(cookie)
        self.count += 1
        deliver(near)
        return True

    def _miss(self, why: str) -> None:
        self.missed += 1
        self._note(why)


class _Meeting:
    """A place where sockets that are not connected yet get another end.

    It has no name any more by the time that it is used: nothing is left of it, however this process
    ends, and nobody else comes there.
    """

    def __init__(self) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        folder = tempfile.mkdtemp(prefix="virtproto-")
        path = f"{folder}/sock"
        try:
            inside = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                # By way of a descriptor: the path may be longer than an address can say.
                self._listening.bind(f"/proc/self/fd/{inside}/sock")
            finally:
                os.close(inside)
            self._listening.listen()
            self._place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)
            os.rmdir(folder)

    def bring(self, theirs: socket.socket) -> socket.socket:
        """Connect ``theirs`` and return the other end. Raises OSError."""
        theirs.connect(f"/proc/self/fd/{self._place}")
        while True:
            near, _ = self._listening.accept()
            # Another process of this user could find its way here.
            if peer_credentials(near)[0] == os.getpid():
                return near
            near.close()

    def close(self) -> None:
        if self._place >= 0:
            self._listening.close()
            os.close(self._place)
            self._place = -1


def connect_to(target: Target) -> socket.socket | None:
    """Connect to where a program wanted to go; None where that fails, or would take time.

    The program that is let through then gets its own error, or waits by itself.
    """
    ours = socket.socket(socket.AF_UNIX)
    ours.setblocking(False)
    try:
        if target.path.startswith(b"\0"):
            ours.connect(target.path)
        else:
            # By way of a descriptor: the path may be longer than an address can say.
            place = os.open(target.path, os.O_PATH | os.O_CLOEXEC)
            try:
                ours.connect(f"/proc/self/fd/{place}")
            finally:
                os.close(place)
    except OSError:
        ours.close()
        return None
    return ours


def _unix_name(address: bytes) -> bytes | None:
    """Return what a unix address says, None for one of another kind or without a name."""
    if int.from_bytes(address[:2], sys.byteorder) != socket.AF_UNIX:
        return None
    name = address[2:110]
    if not name.startswith(b"\0"):
        name = name.partition(b"\0")[0]
    return name or None


def _status(tid: int) -> dict[str, list[str]]:
    """Return what the system says of a thread's process. Raises OSError."""
    with open(f"/proc/{tid}/status", encoding="utf-8", errors="backslashreplace") as file:
        rows = (line.partition(":") for line in file)
        return {name: words.split() for name, _, words in rows}


def _is_our_user(status: dict[str, list[str]]) -> bool:
    """Return whether a daemon would take us for that process's user: by effective IDs."""
    return status["Uid"][1] == str(os.geteuid()) and status["Gid"][1] == str(os.getegid())


def _has_our_rights(tid: int, status: dict[str, list[str]]) -> bool:
    """Return whether a process can reach whatever we can reach in its stead."""
    ours = _status(os.getpid())
    if not {*ours["Groups"]} <= {*status["Groups"]}:
        return False
    # In a namespace of its own users a process has powers over nothing but that.
    theirs = int(status["CapEff"][0], 16) if _same(tid, "ns/user") else 0
    if int(ours["CapEff"][0], 16) & ~theirs & _PAST_PERMISSIONS:
        return False
    return _label(tid) == _label(os.getpid())


def _label(tid: int) -> bytes:
    """Return what a security module has confined a process by; empty where there is none."""
    try:
        with open(f"/proc/{tid}/attr/current", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _same(tid: int, what: str) -> bool:
    theirs, ours = os.stat(f"/proc/{tid}/{what}"), os.stat(f"/proc/self/{what}")
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _below_root(tid: int, path: bytes) -> int | None:
    """Return a descriptor of what a path is to a process with another root; None for nothing."""
    try:
        root = os.open(f"/proc/{tid}/root", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return seccomp.open_below(root, path)
    except OSError:
        return None
    finally:
        os.close(root)


def _is_connected(theirs: socket.socket) -> bool:
    try:
        theirs.getpeername()
    except OSError:
        return False
    return True
