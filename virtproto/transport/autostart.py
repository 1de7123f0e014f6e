"""Daemons of a user's own, started where nobody listens.

Responsible for starting one as libvirt's client does, so that any number of clients that come at
once, of either library, start one between them. Must not know who waits, nor how: that is the front
ends' business.
"""

from __future__ import annotations

import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, lockf
from time import monotonic

from virtproto.errors import ConnectError, DeadlineError
from virtproto.transport.command import plain_environment, start_process
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from virtproto.model.endpoint import UnixEndpoint

__all__ = ["attempts"]

# How long a daemon that nobody uses stays.
_TIMEOUT_S = 120
_PAUSE_S = 0.01
_LIMIT_S = 5.0

_PASSED = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")

# The shell ends at once, and leaves the daemon to the system: nobody here has to see to its end.
_DETACH = f'cd / && "$0" --timeout={_TIMEOUT_S} & exit 0'


def attempts(endpoint: UnixEndpoint, timeout_s: float | None) -> Generator[float]:
    """Have the daemon of ``endpoint`` started, and yield how long to wait before each attempt.

    For who tried to connect and found nobody: he waits the seconds, tries again, and goes on until
    he is connected, when he closes this. ``timeout_s`` bounds it all, as blocks of `deadline` do.
    Raises ConnectError where the daemon cannot be started, or nobody listens after five seconds,
    and DeadlineError. Source: virNetSocketNewConnectUNIX.
    """
    limit_s = time_left(timeout_s)
    end = None if limit_s is None else monotonic() + limit_s
    program = endpoint.daemon
    assert program is not None
    if not os.access(program, os.X_OK):
        raise ConnectError(
            f"nobody listens on {endpoint.path}, and the daemon cannot be started: there is no "
            f"program {program} that this user may run; install it, or name its folder in "
            "VIRTD_PATH"
        )
    folder = os.path.dirname(endpoint.path)
    lock_path = os.path.join(folder, f"{os.path.basename(program)}.lock")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConnectError(
            f"{program} cannot be started: {lock_path}: {error.strerror or error}"
        ) from error
    try:
        # While another starts it, waiting for the lock and for the daemon is the same.
        until = monotonic() + _LIMIT_S
        while not _is_locked(lock):
            yield _pause(endpoint, program, until, end)
        try:
            # Once more first: whoever had the lock may have started it.
            yield 0.0
            _start(program)
            until = monotonic() + _LIMIT_S
            while True:
                yield _pause(endpoint, program, until, end)
        finally:
            with suppress(OSError):
                os.unlink(lock_path)
    finally:
        os.close(lock)


def _is_locked(lock: int) -> bool:
    try:
        lockf(lock, LOCK_EX | LOCK_NB, 1)
    except OSError:
        return False
    return True


def _pause(endpoint: UnixEndpoint, program: str, until: float, end: float | None) -> float:
    now = monotonic()
    if end is not None and now >= end:
        raise DeadlineError(f"{program} was started, and nobody listens on {endpoint.path} yet")
    if now >= until:
        raise ConnectError(
            f"{program} was started, but nobody listens on {endpoint.path} after {_LIMIT_S:g} s; "
            "run it by hand to see what it says"
        )
    return _PAUSE_S


def _start(program: str) -> None:
    environment = _environment(os.environ)
    pids: list[int] = []
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        argv = ("/bin/sh", "-c", _DETACH, program)
        start_process(argv, environment, (null, null, null), pids, own_session=True)
    except OSError as error:
        raise ConnectError(f"{program} cannot be started: {error.strerror or error}") from error
    finally:
        os.close(null)
        for pid in pids:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the daemon is given of the environment. Source: virNetSocketForkDaemon."""
    passed = {name: environ[name] for name in _PASSED if name in environ}
    return plain_environment(environ) | passed
