"""A socket that clients come to by hand, each of whom is led to the same destination.

Responsible for the socket: where it may be, whose it is, and that nothing of it stays. Must not
know what clients and daemon say.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from errno import EADDRINUSE, ECONNREFUSED
from socket import (
    AF_UNIX,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    gaierror,
    getaddrinfo,
    socket,
)

from virtproto.errors import UsageError
from virtproto.proxy.peers import is_ours, peer_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from .carriage import Carriage

    class Host(Protocol):
        """What clients are led to: a `reaching.Destination`, or what takes its place."""

        def lead(self, carriage: Carriage, client: socket, about: dict[str, object]) -> None:
            """Do for ``client``, which is this method's to keep or close, what he came for."""


__all__ = ["Listener", "peer_of"]

# sun_path, with the zero at its end.
_PATH_SIZE = 108
# As much as the system lets wait.
_WAITING = 128
# What is tried again after that long, where the process has no descriptor left.
_AGAIN_S = 0.2


class Listener:
    """A socket that is listened on; a context manager that closes it and removes its path."""

    def __init__(self, address: str, *, mode: int = 0o600, to_all: bool = False) -> None:
        """Begin to listen.

        ``address`` is a path, ``@NAME`` for an abstract one, or ``tcp:HOST:PORT`` (port 0 for any
        free one), where HOST must be this machine's own loopback unless ``to_all``. ``mode`` are
        the permissions of a path; at the other two, which have none, other users of this machine
        than root are sent away unless ``to_all``. Raises UsageError for an address that is none or
        is in use; the socket that a dead process left behind is replaced.
        """
        self._carriage: Carriage | None = None
        self._asks = not to_all and address.startswith(("tcp:", "@"))
        # The path that is to be removed, and which file it was.
        self._path: str | None = None
        self._identity: tuple[int, int] | None = None
        if address.startswith("tcp:"):
            self._sock, self.address = _listen_by_tcp(address, to_all)
        elif address.startswith("@"):
            self._sock = _bound(address, "\0" + address[1:])
            self.address = address
        else:
            self._listen_at(address, mode)
        self._sock.setblocking(False)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def attend(self, carriage: Carriage, destination: Host) -> None:
        """Have whoever comes led to ``destination`` from now on, in the loop of ``carriage``."""
        self._carriage = carriage

        def come() -> None:
            try:
                client, _address = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Too many descriptors are open, most likely: some will be closed.
                carriage.note(f"a client could not be let in: {error.strerror or error}")
                carriage.unwatch(self._sock.fileno())
                carriage.later(_AGAIN_S, watch)
                return
            try:
                about = peer_of(client)
                known = not self._asks or is_ours(client)
            except OSError:
                # Gone already.
                client.close()
                return
            if not known:
                client.close()
                who = about.get("client", "somebody")
                carriage.note(f"{who} was sent away: another user's, or nobody knows whose")
                return
            destination.lead(carriage, client, about)

        def watch() -> None:
            if self._sock.fileno() >= 0:
                carriage.watch(self._sock.fileno(), come)

        watch()

    def close(self) -> None:
        """Stop listening and remove the path, if it is still this socket's; may be called twice."""
        fd = self._sock.fileno()
        if self._carriage is not None and fd >= 0:
            self._carriage.unwatch(fd)
        self._sock.close()
        path, self._path = self._path, None
        if path is not None:
            with suppress(OSError):
                found = os.lstat(path)
                if (found.st_dev, found.st_ino) == self._identity:
                    os.unlink(path)

    def _listen_at(self, path: str, mode: int) -> None:
        if not path or "\0" in path:
            raise UsageError("--listen: a path, @NAME or tcp:HOST:PORT is wanted")
        # As it is for whoever changes the folder later.
        path = os.path.abspath(path)
        _make_way(path)
        self._sock = _bound(path, path, mode)
        found = os.lstat(path)
        self._path, self._identity = path, (found.st_dev, found.st_ino)
        if stat.S_IMODE(found.st_mode) != mode:
            # The process's mask took some away.
            os.chmod(path, mode)
        self.address = path


def peer_of(client: socket) -> dict[str, object]:
    """Return what is known of a client: ``client`` and ``pid`` of a process, or its address."""
    if client.family != AF_UNIX:
        host, port = client.getpeername()[:2]
        return {"client": f"{host} port {port}"}
    try:
        pid = peer_credentials(client)[0]
        with open(f"/proc/{pid}/comm", "rb") as file:
            name = file.read().rstrip(b"\n").decode("utf-8", "backslashreplace")
    except OSError:
        return {}
    return {"client": name, "pid": pid}


def _make_way(path: str) -> None:
    """Remove a socket that nobody listens on any more; UsageError for anything else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--listen: {path}: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise UsageError(f"--listen: {path} is there already, and is no socket")
    with socket(AF_UNIX, SOCK_STREAM) as trial:
        try:
            trial.connect(path)
        except OSError as error:
            if error.errno != ECONNREFUSED:
                raise UsageError(f"--listen: {path}: {error.strerror}") from None
        else:
            raise UsageError(f"--listen: somebody listens on {path} already")
    with suppress(FileNotFoundError):
        os.unlink(path)


def _bound(shown: str, name: str, mode: int | None = None) -> socket:
    """Return a listening unix socket, which nobody else could use for a moment even."""
    if len(os.fsencode(name)) >= _PATH_SIZE:
        raise UsageError(
            f"--listen: {shown} is longer than the {_PATH_SIZE - 1} bytes of an address"
        )
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        if mode is not None:
            # The file gets these, as far as the process's mask lets it.
            os.fchmod(sock.fileno(), mode)
        sock.bind(name)
        sock.listen(_WAITING)
    except OSError as error:
        sock.close()
        raise _refused(shown, error) from None
    return sock


def _listen_by_tcp(address: str, to_all: bool) -> tuple[socket, str]:
    """Return a listening socket, and its address as it is to be shown."""
    host, colon, port = address.removeprefix("tcp:").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen: {address!r}: tcp:HOST:PORT is wanted, such as tcp:127.0.0.1:0")
    try:
        family, kind, protocol, _, where = getaddrinfo(host, int(port), type=SOCK_STREAM)[0]
    except (gaierror, UnicodeError):
        raise UsageError(f"--listen: the host {host!r} of {address!r} has no address") from None
    if not to_all and not _is_loopback(where):
        raise UsageError(
            f"--listen: {where[0]} can be reached from other machines, whose users would be let in "
            "as this one: listen on 127.0.0.1, or give --to-all"
        )
    sock = socket(family, kind, protocol)
    try:
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(_WAITING)
    except OSError as error:
        sock.close()
        raise _refused(address, error) from None
    shown = f"[{where[0]}]" if ":" in str(where[0]) else where[0]
    return sock, f"tcp:{shown}:{sock.getsockname()[1]}"


def _is_loopback(where: tuple[Any, ...]) -> bool:
    from ipaddress import ip_address

    return ip_address(str(where[0]).partition("%")[0]).is_loopback


def _refused(shown: str, error: OSError) -> UsageError:
    if error.errno == EADDRINUSE:
        return UsageError(f"--listen: somebody listens on {shown} already")
    return UsageError(f"--listen: {shown}: {error.strerror or error}")
