"""Where a connection URI leads, and by which road.

Responsible for the choice alone (system or session, which daemon, read-only or not); what is on
this machine comes in as arguments. Opens nothing and reads no environment of its own.
"""

from __future__ import annotations

from virtproto.errors import URIError
from virtproto.model.uri import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from virtproto.model.uri import ConnectionURI

    Endpoint: TypeAlias = (
        "UnixEndpoint | TcpEndpoint | TlsEndpoint | CommandEndpoint | LibsshEndpoint"
    )

__all__ = [
    "CommandEndpoint",
    "LibsshEndpoint",
    "TcpEndpoint",
    "TlsEndpoint",
    "UnixEndpoint",
    "choose_endpoint",
    "session_folder",
    "SYSTEM_FOLDER",
]

# libvirt's clients say /var/run, not /run, and so the paths in messages agree with theirs.
SYSTEM_FOLDER = "/var/run/libvirt"
_LEGACY = "libvirt"
# Order in which daemons of one driver each are tried when no URI says which (remote_driver.c).
_PROBED_DRIVERS = ("xen", "qemu", "lxc", "vbox", "bhyve", "vz")


class UnixEndpoint:
    """A unix socket to connect to.

    ``path`` is a file name, or "@name" for Linux's abstract sockets; ``candidates`` are the paths
    that were considered, in order, for the message when there is none. ``daemon`` is the program
    that may be started where nobody listens, None for none.
    """

    __slots__ = ("candidates", "daemon", "path")

    def __init__(
        self, path: str, candidates: tuple[str, ...] = (), daemon: str | None = None
    ) -> None:
        self.path = path
        self.candidates = candidates or (path,)
        self.daemon = daemon

    def __repr__(self) -> str:
        return f"<UnixEndpoint {self.path}>"

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path


class TcpEndpoint:
    """A TCP port of a host; nothing on this road is secret, or safe from change."""

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TlsEndpoint(TcpEndpoint):
    """A TCP port of a host where TLS is spoken.

    ``pkipath`` is the folder of all four files, None for the usual places; ``priority`` a GnuTLS
    priority string or None; ``verify`` whether the host's certificate has to be right;
    ``check_files`` whether this side's files are looked at before they are used.
    """

    __slots__ = ("check_files", "pkipath", "priority", "verify")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        pkipath: str | None = None,
        priority: str | None = None,
        verify: bool = True,
        check_files: bool = True,
    ) -> None:
        super().__init__(host, port)
        self.pkipath = pkipath
        self.priority = priority
        self.verify = verify
        self.check_files = check_files


class CommandEndpoint:
    """A program that carries bytes between its standard input and output and a daemon.

    ``argv`` is what is run. For ``ssh`` as the kind the program is the system's ssh, which is
    given a reduced environment (``tty``: as for one that may ask) and leads to ``host``; for "ext"
    it is the URI's own.
    """

    __slots__ = ("argv", "host", "kind", "tty")

    def __init__(
        self, kind: str, argv: tuple[str, ...], *, host: str = "localhost", tty: bool = True
    ) -> None:
        self.kind = kind
        self.argv = argv
        self.host = host
        self.tty = tty

    def __repr__(self) -> str:
        return f"<CommandEndpoint {self.name}>"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.argv[0]} to {self.host}" if self.kind == "ssh" else self.argv[0]


class LibsshEndpoint:
    """A host that this process itself speaks SSH with (transports libssh and libssh2).

    ``kind`` is the transport; ``remote_command`` what is run on the host to reach the daemon;
    ``socket_path`` the daemon's socket there, for where nothing can be run, None for where that is
    not known; ``keyfile`` a private key's file or None; ``known_hosts`` a file or None for the
    usual one; ``known_hosts_verify`` "normal", "auto" or "ignore"; ``methods`` are those of
    ``sshauth``, in order.
    """

    __slots__ = (
        "host",
        "keyfile",
        "kind",
        "known_hosts",
        "known_hosts_verify",
        "methods",
        "port",
        "remote_command",
        "socket_path",
        "user",
    )

    def __init__(
        self,
        kind: str,
        host: str,
        port: int,
        user: str,
        *,
        remote_command: str,
        socket_path: str | None = None,
        keyfile: str | None = None,
        known_hosts: str | None = None,
        known_hosts_verify: str = "normal",
        methods: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.host = host
        self.port = port
        self.user = user
        self.remote_command = remote_command
        self.socket_path = socket_path
        self.keyfile = keyfile
        self.known_hosts = known_hosts
        self.known_hosts_verify = known_hosts_verify
        self.methods = methods

    def __repr__(self) -> str:
        return f"<LibsshEndpoint {self.name}>"

    @property
    def name(self) -> str:
        """What messages call it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh to {self.user}@{host}:{self.port}"


def choose_endpoint(
    uri: ConnectionURI | None,
    *,
    readonly: bool,
    euid: int,
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
) -> UnixEndpoint:
    """Choose the socket for ``uri``; None means whichever daemon is there.

    ``euid`` is the effective user id, ``exists`` tells whether a path exists. ``test:///...`` means
    the system daemon's socket: this client carries no test driver of its own, the daemon has it.
    Raises URIError for a transport that is not available yet or a ``socket=`` without a path.
    Source: remoteGetUNIXSocket.
    """
    if uri is not None:
        if uri.transport != "unix":
            raise URIError(
                f"connection URI {shown(uri.text)!r}: transport {uri.transport} is not available; "
                "this release connects over transport unix only"
            )
        named = uri.parameter("socket")
        if named is not None:
            return UnixEndpoint(_checked_socket(uri, named))
    session = _is_session(uri, euid)
    folder = session_folder(environ) if session else SYSTEM_FOLDER
    suffix = "-sock-ro" if readonly and not session else "-sock"
    mode = (uri.parameter("mode") if uri is not None else None) or "auto"
    return _choose(folder, suffix, mode, uri.driver if uri is not None else None, exists)


def _choose(
    folder: str, suffix: str, mode: str, driver: str | None, exists: Callable[[str], bool]
) -> UnixEndpoint:
    legacy = f"{folder}/{_LEGACY}{suffix}"
    if mode == "legacy":
        return UnixEndpoint(legacy)
    if driver is None or driver == "remote":
        direct = tuple(f"{folder}/virt{name}d{suffix}" for name in _PROBED_DRIVERS)
        order = (legacy, *direct) if mode == "auto" else direct
    else:
        one = f"{folder}/virt{driver}d{suffix}"
        order = (one, legacy) if mode == "auto" else (one,)
    for path in order:
        if exists(path):
            return UnixEndpoint(path, order)
    return UnixEndpoint(legacy if mode == "auto" else order[0], order)


def _checked_socket(uri: ConnectionURI, path: str) -> str:
    if path in ("", "@"):
        raise URIError(f"connection URI {shown(uri.text)!r}: socket= names no socket")
    return path


def _is_session(uri: ConnectionURI | None, euid: int) -> bool:
    # As libvirt has it: root has no session daemon, and "test+..." is a session matter for others.
    if euid == 0:
        return False
    return uri is None or uri.path == "/session" or uri.scheme.startswith("test+")


def session_folder(environ: Mapping[str, str]) -> str:
    """Return the folder of the sockets of a user's own daemons. Raise URIError without a home."""
    runtime = environ.get("XDG_RUNTIME_DIR") or environ.get("XDG_CACHE_HOME")
    if runtime:
        return f"{runtime}/libvirt"
    home = environ.get("HOME")
    if not home:
        raise URIError(
            "the session daemon's socket cannot be found: neither XDG_RUNTIME_DIR nor HOME is set"
        )
    return f"{home}/.cache/libvirt"
