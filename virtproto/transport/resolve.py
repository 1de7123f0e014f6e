"""What this machine adds to a connection URI: environment, user, configuration, sockets.

Responsible for asking the operating system; deciding with the answers is the model's business.
"""

from __future__ import annotations

import os

from virtproto.model.endpoint import choose_endpoint
from virtproto.model.uri import resolve_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.client_config import ClientConfig
    from virtproto.model.endpoint import Endpoint
    from virtproto.model.uri import ConnectionURI

__all__ = ["config_path", "environment", "read_config", "resolve", "user_folder"]

_SYSTEM_CONFIG = "/etc/libvirt"
# What each file said when it was read, and how one sees that it still says so.
_known: dict[str, tuple[tuple[int, int, int], ClientConfig | None]] = {}


def resolve(
    text: str | None, *, readonly: bool, aliases: bool = True
) -> tuple[ConnectionURI | None, Endpoint]:
    """Return the URI that ``text`` means here, None for the daemon's choice, and where it leads.

    No text means ``LIBVIRT_DEFAULT_URI``, then ``uri_default`` of libvirt.conf, then the daemon's
    choice; ``uri_aliases`` of that file are followed unless ``aliases`` is off. Raises URIError,
    ConfigFileError.
    """
    environ, euid = environment(), os.geteuid()
    config = read_config("libvirt.conf", environ, euid)
    uri = resolve_uri(text, environ, config, aliases=aliases)
    endpoint = choose_endpoint(
        uri, readonly=readonly, euid=euid, environ=environ, exists=os.path.exists, config=config
    )
    return uri, endpoint


def environment() -> Mapping[str, str]:
    """Return the environment, with the home that the system knows of where it names none."""
    environ = os.environ
    if "HOME" in environ:
        return environ
    import pwd

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # A user whom the system has only a number for, as in containers. Libvirt has it so.
        home = "/"
    return {**environ, "HOME": home}


def read_config(name: str, environ: Mapping[str, str], euid: int) -> ClientConfig | None:
    """Return libvirt's client configuration of a name for the user, None where there is no file.

    Root has the one in /etc/libvirt, and others their own, without falling back to root's. Raises
    ConfigFileError. Source: virConfLoadConfigPath.
    """
    path = config_path(name, environ, euid)
    try:
        found = os.stat(path)
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = _known.get(path)
        if known is not None and known[0] == seen:
            return known[1]
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        if not os.path.exists(path):
            return None  # in a folder that is closed to this user, which is libvirt's view as well
        from virtproto.errors import ConfigFileError

        raise ConfigFileError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    config = None
    if not _says_nothing(data):
        from virtproto.model.client_config import parse_config

        config = parse_config(data.decode("utf-8", "surrogateescape"), path)
    _known[path] = (seen, config)
    return config


def config_path(name: str, environ: Mapping[str, str], euid: int) -> str:
    """Return where libvirt's client configuration of a name is looked for."""
    if euid == 0:
        return f"{_SYSTEM_CONFIG}/{name}"
    return f"{user_folder(environ)}/{name}"


def user_folder(environ: Mapping[str, str]) -> str:
    """Return the folder of a user's own files for libvirt; ``environ`` is as `environment` has it.

    Source: virGetUserConfigDirectory.
    """
    folder = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return f"{folder}/libvirt"


def _says_nothing(data: bytes) -> bool:
    # As distributions install it: remarks only.
    return all(line.lstrip()[:1] in (b"", b"#") for line in data.splitlines())
