"""Unix sockets: reach one, and say plainly why not.

Responsible for the socket and for turning errno into errors a user can act on. Knows nothing of
what travels over it.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

# Not socket: its import (enum, selectors, collections) takes a third as long as all that a program
# with one call loads, and nothing of what it adds is used here.
from _socket import AF_UNIX, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET, socket

from virtproto.errors import (
    ConnectError,
    DeadlineError,
    SocketMissingError,
    SocketPermissionError,
    SocketRefusedError,
    URIError,
)
from virtproto.model.refs import shown_within
from virtproto.transport.deadline import time_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.endpoint import UnixEndpoint

__all__ = ["connect", "socket_address", "connect_error", "connect_limit", "pack_timeout"]

# sizeof(sun_path) on Linux, less the NUL that ends a file name; an abstract name needs none at the
# end but has one in front.
_PATH_MAX = 107

_timeval = struct.Struct("@ll")


def pack_timeout(seconds: float | None) -> bytes:
    """Return ``seconds`` as the value of SO_RCVTIMEO or SO_SNDTIMEO; None is no limit.

    A limit of zero or less becomes one microsecond, since zero itself would mean none.
    """
    if seconds is None:
        return _timeval.pack(0, 0)
    micros = max(1, round(min(seconds, 1e9) * 1e6))
    return _timeval.pack(*divmod(micros, 1_000_000))


def socket_address(path: str) -> bytes:
    """Return the address of a socket path; "@name" means Linux's abstract name space.

    Abstract names are all of their bytes, and libvirt's daemons fill them up with NULs.

    Raises URIError where the path is longer than the system takes.
    """
    name = os.fsencode(path)
    if len(name) > _PATH_MAX:
        raise URIError(
            f"socket path {path} is {len(name)} bytes long and the system takes {_PATH_MAX}; "
            "make a symbolic link with a shorter name"
        )
    return (b"\0" + name[1:]).ljust(_PATH_MAX + 1, b"\0") if name.startswith(b"@") else name


def connect(endpoint: UnixEndpoint, timeout_s: float | None) -> socket:
    """Return a blocking socket connected to ``endpoint``.

    ``timeout_s`` bounds the wait for a daemon too busy to accept, as blocks of `deadline` do.
    Raises SocketMissingError, SocketPermissionError, SocketRefusedError, DeadlineError or another
    ConnectError, and URIError.
    """
    address = socket_address(endpoint.path)
    timeout_s = connect_limit(endpoint, timeout_s)
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack_timeout(timeout_s))
        sock.connect(address)
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack_timeout(None))
    except OSError as exc:
        sock.close()
        raise connect_error(endpoint, exc, timeout_s) from exc
    except BaseException:
        sock.close()
        raise
    return sock


def connect_limit(endpoint: UnixEndpoint, timeout_s: float | None) -> float | None:
    """Return how long connecting may take. Raises DeadlineError where no time is left for it."""
    limit_s = time_left(timeout_s)
    if limit_s is not None and limit_s <= 0:
        raise DeadlineError(f"no time was left for a connection to {endpoint.path}")
    return limit_s


def connect_error(
    endpoint: UnixEndpoint, exc: OSError, timeout_s: float | None
) -> ConnectError | DeadlineError:
    """Return the error to raise for a connection that failed with ``exc``."""
    path = endpoint.path
    if exc.errno in (errno.ENOENT, errno.ENOTDIR):
        return SocketMissingError(_missing(endpoint))
    if exc.errno in (errno.EACCES, errno.EPERM):
        return SocketPermissionError(
            f"this user may not open {path}; run as root, join the group that owns it (often "
            "libvirt), or ask for a read-only connection"
        )
    if exc.errno == errno.ECONNREFUSED:
        if path.startswith("@"):
            return SocketMissingError(_missing(endpoint))
        if not _is_socket(path):
            return SocketRefusedError(f"{path} is no socket; name the daemon's with ?socket=PATH")
        return SocketRefusedError(
            f"nobody listens on {path}; the daemon that made it has ended, start it again"
        )
    if exc.errno in (errno.EAGAIN, errno.ETIMEDOUT):
        within = shown_within(timeout_s)
        return DeadlineError(f"the daemon at {path} did not accept the connection{within}")
    if exc.errno in (errno.EPROTOTYPE, errno.EPROTONOSUPPORT):
        return ConnectError(f"{path} is a socket of another kind; libvirt's are stream sockets")
    return ConnectError(f"cannot connect to {path}: {exc.strerror or exc}")


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        # Gone by now: it was one when the system refused to connect to it, or never will be known.
        return True


def _missing(endpoint: UnixEndpoint) -> str:
    looked = [path for path in endpoint.candidates if path != endpoint.path]
    also = f" (looked for {', '.join(looked)} too)" if looked else ""
    # A daemon that may be started is this user's own.
    start = "the daemon"
    if endpoint.daemon is not None:
        start = "your daemon (autostart=True, on the command line --autostart, has it done)"
    return (
        f"there is no socket {endpoint.path}{also}; start {start}, "
        "or name its socket in the URI with ?socket=PATH"
    )
