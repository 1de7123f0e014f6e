"""Programs that carry bytes to a daemon: the system's ssh, and those of ``ext`` URIs.

Responsible for a program's start with one end of a socket pair as its input and output, for what it
says on its way out, and for its end. Must not know what its arguments mean, nor what travels
through it.

The program is started as libvirt's client starts it: with a reduced environment, with every signal
as the system has it by default, with no descriptor but its three, and in the caller's own process
group, so that ssh may ask at the terminal. An interrupt typed there therefore reaches it as well.

What it says is read by a thread of its own, which keeps the end of it. So the program never waits
for somebody to read, what it says in weeks takes no room, and nobody waits for those of its own
children that have the same standard error.
"""

from __future__ import annotations

import errno
import os
from _socket import socketpair
from _thread import start_new_thread
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from signal import SIGKILL, SIGSTOP, SIGTERM, valid_signals
from time import monotonic, sleep

from virtproto.errors import ConnectError, SSHConnectError
from virtproto.transport.road import Road

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.endpoint import CommandEndpoint

__all__ = ["Program", "ssh_environment", "plain_environment", "start"]

# What is told of a program's own words, in bytes: the end of them, which has the reason.
_TOLD_BYTES = 1024
# How long an ending program is waited for where its last words are wanted.
_LAST_WORDS_S = 0.25
# How long a program may take to end when asked to, before it is made to.
_GRACE_S = 2.0
_LOOK_AGAIN_S = 0.005
# How often it is seen whether anybody still wants to know what is said: what a program left running
# may have its standard error for long.
_STILL_WANTED_MS = 10_000
_READ_SIZE = 65536

_PLAIN = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
_FOR_SSH = (
    "XDG_RUNTIME_DIR",
    "KRB5CCNAME",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "OPENSSL_CONF",
    "DISPLAY",
    "XAUTHORITY",
)
# For programs of ssh's that ask at the terminal.
_FOR_TERMINALS = ("GPG_TTY", "TERM")

# Programs that this process started and has not seen end, by process id.
_running: dict[int, Program] = {}


def start(endpoint: CommandEndpoint) -> Road:
    """Start the program of ``endpoint`` and return the road through it.

    Takes as long as a program takes to start, and waits for nothing it does. Raises SSHConnectError
    or ConnectError where it cannot be run. Source: virNetSocketNewConnectSSH, ...ConnectExternal.
    """
    is_ssh = endpoint.kind == "ssh"
    environ = os.environ
    environment = ssh_environment(environ, endpoint.tty) if is_ssh else plain_environment(environ)
    program = Program()
    ours, theirs = socketpair()
    try:
        program.run(endpoint.argv, environment, theirs.fileno())
    except OSError as exc:
        ours.close()
        raise _unrunnable(endpoint, exc) from exc
    except BaseException:
        ours.close()
        program.end()
        raise
    finally:
        theirs.close()
    return Road(
        ours,
        endpoint.name,
        host=endpoint.host,
        carries_descriptors=False,
        is_secure=is_ssh,
        carrier=program,
        by=endpoint.name,
        failure=SSHConnectError if is_ssh else ConnectError,
    )


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a program is given of the environment. Source: virCommandAddEnvPassCommon."""
    passed = {name: environ[name] for name in _PLAIN if name in environ}
    return {"PATH": "/bin:/usr/bin", **passed, "LC_ALL": "C"}


def ssh_environment(environ: Mapping[str, str], tty: bool) -> dict[str, str]:
    """Return what ssh is given of the environment; ``tty``: it may ask at a terminal.

    Source: virNetSocketNewConnectSSH.
    """
    names = (*_FOR_SSH, *_FOR_TERMINALS) if tty else _FOR_SSH
    return plain_environment(environ) | {name: environ[name] for name in names if name in environ}


class Program:
    """A program that runs behind a road: a Carrier."""

    __slots__ = ("_ended", "_name", "_pids", "_status", "_words")

    def __init__(self) -> None:
        self._name = ""
        # At most one process id, kept by the very call that starts the process.
        self._pids: list[int] = []
        # As waitpid has it; None until it has ended, or was seen to.
        self._status: int | None = None
        self._ended = False
        self._words = _Words()

    def run(self, argv: tuple[str, ...], environment: Mapping[str, str], stdio: int) -> None:
        """Start ``argv`` with the descriptor ``stdio`` as input and output. Raises OSError."""
        self._name = os.path.basename(argv[0])
        pipes: list[tuple[int, int]] = []
        threads: list[int] = []
        try:
            pipes.extend(map(os.pipe2, (os.O_CLOEXEC,)))
            hears, says = pipes[0]
            # From here on that end is the thread's.
            threads.extend(map(start_new_thread, (self._words.hear,), ((hears,),)))
            start_process(argv, environment, (stdio, stdio, says), self._pids)
            _running[self._pids[0]] = self
        except RuntimeError as exc:
            raise OSError(errno.EAGAIN, "there can be no more threads") from exc
        finally:
            for hears, says in pipes:
                os.close(says)
                if not threads:
                    os.close(hears)

    @property
    def pid(self) -> int | None:
        """The process id, None where it has ended."""
        return self._pids[0] if self._pids and not self._has_ended() else None

    def last_words(self) -> str | None:
        """Return the end of what it said, waiting briefly for it.

        Where it said nothing, this is how it failed; None where it did not.
        """
        until = monotonic() + _LAST_WORDS_S
        while not (self._has_ended() and self._words.are_all) and monotonic() < until:
            sleep(_LOOK_AGAIN_S)
        return self.words() or self._how_it_failed()

    def words(self) -> str | None:
        """Return the end of what it has said so far, None for nothing; waits for nothing."""
        return self._words.told()

    def end(self) -> None:
        """Ask it to end, and make it end if it will not; waits for nothing."""
        if self._ended:
            return
        self._ended = True
        if not self._has_ended():
            self._signal(SIGTERM)
            try:
                # What ends at once, as ssh does, is gone before this thread has run for long.
                start_new_thread(self._see_off, ())
            except RuntimeError:
                # The interpreter is ending, or there can be no more threads.
                self._signal(SIGKILL)
                self._wait()
        self._words.are_wanted = False

    def leave_to_parent(self) -> None:
        """In a forked process: forget the program, which is the parent's."""
        self._ended = True
        self._status = 0
        self._words.leave_to_parent()

    def _see_off(self) -> None:
        until = monotonic() + _GRACE_S
        while not self._has_ended():
            if monotonic() >= until:
                self._signal(SIGKILL)
                self._wait()
                return
            sleep(_LOOK_AGAIN_S)

    def _has_ended(self) -> bool:
        if self._status is None and self._pids:
            self._look(os.WNOHANG)
        return self._status is not None or not self._pids

    def _wait(self) -> None:
        if self._status is None and self._pids:
            self._look(0)

    def _look(self, options: int) -> None:
        pid = self._pids[0]
        try:
            seen, status = os.waitpid(pid, options)
        except ChildProcessError:
            # Somebody else of this process saw its end, perhaps another thread just here.
            if self._status is None:
                self._status = 0
        else:
            if not seen:
                return
            self._status = status
        _running.pop(pid, None)

    def _signal(self, number: int) -> None:
        # It may have ended, or become somebody else: what sudo runs does not listen to us.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._pids[0], number)

    def _how_it_failed(self) -> str | None:
        if self._status is None or not self._pids:
            return None
        code = os.waitstatus_to_exitcode(self._status)
        if code < 0:
            return f"{self._name} was ended by signal {-code}"
        return f"{self._name} ended with status {code}" if code else None


class _Words:
    """What a program says on its standard error, the end of it."""

    __slots__ = ("_end", "_fd", "are_all", "are_wanted")

    def __init__(self) -> None:
        self._end = b""
        self._fd = -1
        # Whether nothing can follow, or nothing is heard any more.
        self.are_all = False
        self.are_wanted = True

    def hear(self, fd: int) -> None:
        """Read ``fd`` to its end, or until it is not wanted; on a thread, which closes it."""
        from select import POLLIN, poll

        self._fd = fd
        try:
            poller = poll()
            poller.register(fd, POLLIN)
            while self.are_wanted:
                if poller.poll(_STILL_WANTED_MS):
                    data = os.read(fd, _READ_SIZE)
                    if not data:
                        break
                    self._end = (self._end + data)[-_TOLD_BYTES:]
        finally:
            self._fd = -1
            os.close(fd)
            self.are_all = True

    def told(self) -> str | None:
        """Return what was said, None for nothing."""
        return self._end.decode("utf-8", "replace").strip() or None

    def leave_to_parent(self) -> None:
        """In a forked process, which has no such thread: close what it read."""
        fd, self._fd = self._fd, -1
        self.are_all = True
        if fd >= 0:
            os.close(fd)


def start_process(
    argv: tuple[str, ...],
    environment: Mapping[str, str],
    stdio: tuple[int, int, int],
    pids: list[int],
    *,
    own_session: bool = False,
) -> None:
    """Start ``argv`` and put its process id into ``pids``; a relative name is looked for in PATH.

    ``stdio`` are its descriptors 0, 1 and 2, ``own_session`` has it leave the terminal. Raises
    OSError where it cannot be run.
    """
    from functools import partial

    copies: list[int] = []
    try:
        # Out of the way first: one of the three may have another's number.
        for fd in stdio:
            copies.append(fcntl(fd, F_DUPFD_CLOEXEC, 3))
        actions: list[tuple[int, int, int] | tuple[int, int]] = []
        actions += [(os.POSIX_SPAWN_DUP2, copy, fd) for fd, copy in enumerate(copies)]
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()]
        spawn = partial(
            os.posix_spawnp,
            file_actions=actions,
            setsid=own_session,
            setsigmask=(),
            setsigdef=valid_signals() - {SIGKILL, SIGSTOP},
        )
        # One call that is not torn: whoever was started is known.
        pids.extend(map(spawn, (argv[0],), (argv,), (environment,)))
    finally:
        for copy in copies:
            os.close(copy)


def _inheritable() -> list[int]:
    """Return the descriptors of this process that a program would inherit, but for 0 to 2."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and os.get_inheritable(fd):
                found.append(fd)
        except OSError:
            # Closed by another thread meanwhile, or the listing's own.
            continue
    return found


def _unrunnable(endpoint: CommandEndpoint, exc: OSError) -> ConnectError:
    program = endpoint.argv[0]
    if exc.errno == errno.ENOENT:
        why = "there is no such program" + ("" if "/" in program else " in PATH")
    elif exc.errno == errno.EACCES:
        why = "it may not be executed"
    else:
        why = exc.strerror or str(exc)
    if endpoint.kind != "ssh":
        return ConnectError(f"cannot run {program}, which command= in the URI names: {why}")
    return SSHConnectError(
        f"cannot run {program}: {why}; install OpenSSH's client, name a program with command= in "
        "the URI, or use transport libssh, which needs none (pip install 'virtproto[ssh]')"
    )


def _leave_all_to_parent() -> None:
    for program in list(_running.values()):
        program.leave_to_parent()
    _running.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)
