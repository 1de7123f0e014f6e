"""Which unix socket a connection URI means.

Responsible for the choice alone (system or session, which daemon, read-only or not); what is on
this machine comes in as arguments. Opens nothing and reads no environment of its own.
"""

from __future__ import annotations

from virtproto.errors import URIError
from virtproto.model.uri import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from virtproto.model.uri import ConnectionURI

__all__ = ["Endpoint", "choose_endpoint", "session_folder", "SYSTEM_FOLDER"]

# libvirt's clients say /var/run, not /run, and so the paths in messages agree with theirs.
SYSTEM_FOLDER = "/var/run/libvirt"
_LEGACY = "libvirt"
# Order in which daemons of one driver each are tried when no URI says which (remote_driver.c).
_PROBED_DRIVERS = ("xen", "qemu", "lxc", "vbox", "bhyve", "vz")


class Endpoint:
    """A unix socket to connect to.

    ``path`` is a file name, or "@name" for Linux's abstract sockets; ``candidates`` are the paths
    that were considered, in order, for the message when there is none.
    """

    __slots__ = ("candidates", "path")

    def __init__(self, path: str, candidates: tuple[str, ...] = ()) -> None:
        self.path = path
        self.candidates = candidates or (path,)

    def __repr__(self) -> str:
        return f"<Endpoint {self.path}>"


def choose_endpoint(
    uri: ConnectionURI | None,
    *,
    readonly: bool,
    euid: int,
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
) -> Endpoint:
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
            return Endpoint(_checked_socket(uri, named))
    session = _is_session(uri, euid)
    folder = session_folder(environ) if session else SYSTEM_FOLDER
    suffix = "-sock-ro" if readonly and not session else "-sock"
    mode = (uri.parameter("mode") if uri is not None else None) or "auto"
    return _choose(folder, suffix, mode, uri.driver if uri is not None else None, exists)


def _choose(
    folder: str, suffix: str, mode: str, driver: str | None, exists: Callable[[str], bool]
) -> Endpoint:
    legacy = f"{folder}/{_LEGACY}{suffix}"
    if mode == "legacy":
        return Endpoint(legacy)
    if driver is None or driver == "remote":
        direct = tuple(f"{folder}/virt{name}d{suffix}" for name in _PROBED_DRIVERS)
        order = (legacy, *direct) if mode == "auto" else direct
    else:
        one = f"{folder}/virt{driver}d{suffix}"
        order = (one, legacy) if mode == "auto" else (one,)
    for path in order:
        if exists(path):
            return Endpoint(path, order)
    return Endpoint(legacy if mode == "auto" else order[0], order)


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
