"""Which unix socket the URI of a daemon's administration means.

Responsible for that choice, and for which URI is meant where none is given; what is on this machine
comes in as arguments. Opens nothing and reads no environment of its own.
"""

from __future__ import annotations

from virtproto.errors import URIError
from virtproto.model.endpoint import UnixEndpoint, session_folder
from virtproto.model.uri import parse_uri, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.client_config import ClientConfig
    from virtproto.model.uri import ConnectionURI

__all__ = ["choose_admin_endpoint"]

_ENVIRONMENT = "LIBVIRT_ADMIN_DEFAULT_URI"
# Here libvirt's client does not say /var/run.
_SYSTEM_FOLDER = "/run/libvirt"


def choose_admin_endpoint(
    text: str | None,
    *,
    euid: int,
    environ: Mapping[str, str],
    config: ClientConfig | None = None,
    aliases: bool = True,
) -> tuple[str, UnixEndpoint]:
    """Return the URI that is meant and its socket.

    ``text`` is a URI like "libvirtd:///system"; the name of another daemon ("virtqemud") and
    "/session" may stand in it, and ``?socket=`` names the socket itself. None means
    ``LIBVIRT_ADMIN_DEFAULT_URI`` of ``environ``, then ``uri_default`` of ``config``, the user's
    libvirt-admin.conf, then libvirtd of the system for root (``euid`` 0) and of the session for
    others. Unless ``aliases`` is off, ``uri_aliases`` of that file are followed. Raises URIError,
    ConfigFileError. Source: virAdmConnectOpen.
    """
    if text is not None and not isinstance(text, str):
        raise URIError(f"a daemon's URI is a str or None, not {type(text).__name__}")
    if not text:
        text = environ.get(_ENVIRONMENT)
    if not text and config is not None:
        text = config.default_uri()
    if not text:
        text = "libvirtd:///system" if euid == 0 else "libvirtd:///session"
    if aliases and config is not None:
        text = config.alias(text) or text
    uri = parse_uri(text)
    return text, UnixEndpoint(_named_socket(uri) or _usual_socket(uri, environ))


def _named_socket(uri: ConnectionURI) -> str | None:
    socket = None
    for name, value in uri.params:
        if name != "socket":
            raise _fault(uri, f"parameter {name} is not known; there is socket alone")
        if value in ("", "@"):
            raise _fault(uri, "socket= names no socket")
        socket = value
    return socket


def _usual_socket(uri: ConnectionURI, environ: Mapping[str, str]) -> str:
    if uri.server is not None:
        raise _fault(uri, f"server {uri.server!r} is named, but this is for one machine")
    if uri.scheme == "libvirtd":
        name = "libvirt"
    elif uri.scheme.startswith("virt") and uri.scheme.endswith("d"):
        name = uri.scheme
    else:
        raise _fault(uri, f"{uri.scheme!r} is no daemon; expected libvirtd, virtqemud or the like")
    if uri.path == "/system":
        return f"{_SYSTEM_FOLDER}/{name}-admin-sock"
    if uri.path == "/session":
        return f"{session_folder(environ)}/{name}-admin-sock"
    raise _fault(uri, f"the path is {uri.path or ''!r}; expected /system or /session")


def _fault(uri: ConnectionURI, what: str) -> URIError:
    return URIError(f"daemon URI {shown(uri.text)!r}: {what}")
