"""Where a connection URI leads, and by which road.

Responsible for the choice alone (system or session, which daemon, read-only or not); what is on
this machine comes in as arguments. Opens nothing and reads no environment of its own.
"""

from __future__ import annotations

from virtproto.errors import URIError
from virtproto.model.uri import uri_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from virtproto.model.client_config import ClientConfig
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
# Where libvirt's packages put daemons.
_DAEMONS = "/usr/sbin"
# Drivers of libvirt's library itself: those of this machine, and those that speak to a hypervisor.
_OWN_DRIVERS = ("openvz", "vmwareplayer", "vmwarews", "vmwarefusion")
_HYPERVISOR_DRIVERS = ("esx", "gsx", "vpx", "hyperv")
_DRIVERS_WITHIN = frozenset(_OWN_DRIVERS + _HYPERVISOR_DRIVERS)


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
    ``sshauth``, in order. ``uri`` is where all this came from; it may name an ``auth.conf``.
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
        "uri",
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
        uri: ConnectionURI | None = None,
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
        self.uri = uri

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
    config: ClientConfig | None = None,
) -> Endpoint:
    """Choose the way to the daemon of ``uri``; None means whichever daemon is there.

    ``euid`` is the effective user id, ``exists`` tells whether a path exists, ``config`` is the
    user's libvirt.conf. ``test:///...`` means the daemon's own test driver: this client carries no
    driver, and so refuses those that libvirt's library has within itself. Raises URIError, which
    names the part at fault, and ConfigFileError. Source: doRemoteOpen.
    """
    if uri is not None:
        _check_driver(uri)
    mode = _mode(uri, config)
    if uri is None or uri.transport == "unix":
        if config is not None:
            # What it says of other roads has to make sense, too.
            _proxy(uri, config)
        named = uri.parameter("socket") if uri is not None else None
        if uri is not None and named is not None:
            return UnixEndpoint(_checked_socket(uri, named))
        return _unix_endpoint(
            uri, mode, readonly=readonly, euid=euid, environ=environ, exists=exists
        )
    from virtproto.model.far_endpoint import choose_far_endpoint

    return choose_far_endpoint(
        uri,
        mode=mode,
        proxy=_proxy(uri, config),
        priority=_priority(uri, config),
        readonly=readonly,
        session_sockets=session_folder(environ) if _is_session(uri, euid) else None,
    )


def _check_driver(uri: ConnectionURI) -> None:
    if uri.path == "/embed":
        raise uri_fault(
            uri.text,
            "the path /embed asks for a driver within the client, and this client has none; "
            f"write {uri.driver}:///system or {uri.driver}:///session for a daemon's",
        )
    scheme = uri.scheme
    if scheme in _DRIVERS_WITHIN and not (uri.server and scheme in _OWN_DRIVERS):
        where = f"{scheme}+tls://HOST/" if uri.server else f"{scheme}+unix:///system"
        raise uri_fault(
            uri.text,
            f"libvirt's own library drives {scheme} within the client, and no daemon of libvirt "
            "need be there; this client speaks to daemons only. Where a daemon has that driver, "
            f"name the transport to it as well, as in {where}",
        )


def _mode(uri: ConnectionURI | None, config: ClientConfig | None) -> str:
    mode = uri.parameter("mode") if uri is not None else None
    if mode is None and config is not None:
        mode = config.choice("remote_mode", ("auto", "legacy", "direct"))
    return mode or "auto"


def _proxy(uri: ConnectionURI | None, config: ClientConfig | None) -> str | None:
    proxy = uri.parameter("proxy") if uri is not None else None
    if proxy is None and config is not None:
        proxy = config.choice("remote_proxy", ("auto", "netcat", "native"))
    return proxy


def _priority(uri: ConnectionURI, config: ClientConfig | None) -> str | None:
    priority = uri.parameter("tls_priority")
    if priority is None and config is not None and uri.transport == "tls":
        priority = config.text("tls_priority")
    return priority


def _unix_endpoint(
    uri: ConnectionURI | None,
    mode: str,
    *,
    readonly: bool,
    euid: int,
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
) -> UnixEndpoint:
    session = _is_session(uri, euid)
    folder = session_folder(environ) if session else SYSTEM_FOLDER
    suffix = "-sock-ro" if readonly and not session else "-sock"
    legacy = f"{folder}/{_LEGACY}{suffix}"
    order = _order(folder, suffix, mode, uri.driver if uri is not None else None)
    path = next(filter(exists, order), order[0] if mode == "direct" else legacy)
    # Libvirt starts daemons of the session only: the system's are the business of its init.
    daemon = _daemon(path, folder, suffix, environ) if session else None
    return UnixEndpoint(path, order, daemon)


def _order(folder: str, suffix: str, mode: str, driver: str | None) -> tuple[str, ...]:
    """Return the sockets to try. Source: remoteGetUNIXSocket.

    Where no driver is named libvirt itself goes to libvirtd alone, unless it was built to prefer
    the daemons of one driver each; here those are tried wherever there is no libvirtd.
    """
    legacy = f"{folder}/{_LEGACY}{suffix}"
    if mode == "legacy":
        return (legacy,)
    first = (f"{folder}/virt{driver}d{suffix}",) if driver is not None else ()
    middle = (legacy,) if mode == "auto" else ()
    if driver is not None and driver != "remote":
        return first + middle
    return first + middle + tuple(f"{folder}/virt{name}d{suffix}" for name in _PROBED_DRIVERS)


def _daemon(path: str, folder: str, suffix: str, environ: Mapping[str, str]) -> str | None:
    if environ.get("LIBVIRT_AUTOSTART") == "0":
        return None
    name = path[len(folder) + 1 : -len(suffix)]
    program = "libvirtd" if name == _LEGACY else name
    place = environ.get("VIRTD_PATH", environ.get("LIBVIRTD_PATH", _DAEMONS))
    return f"{place}/{program}" if place else program


def _checked_socket(uri: ConnectionURI, path: str) -> str:
    if path in ("", "@"):
        raise uri_fault(uri.text, "socket= names no socket")
    return path


def _is_session(uri: ConnectionURI | None, euid: int) -> bool:
    # As libvirt has it: root has no session daemon, and "test+..." is a session matter for others.
    # It goes by the user here even where the daemon is on another host.
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
