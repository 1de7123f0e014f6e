"""Where ``auth.conf`` is, and what it says of a service of a host.

Responsible for the environment and the file system; what the file means is ``model.auth_file``'s.
"""

from __future__ import annotations

from virtproto.errors import ConfigFileError
from virtproto.model.auth_file import find_credentials, read_sections
from virtproto.model.credentials import Concealed
from virtproto.transport.resolve import environment, user_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.credentials import Credentials
    from virtproto.model.uri import ConnectionURI

__all__ = ["look_up", "SYSTEM_FILE"]

SYSTEM_FILE = "/etc/libvirt/auth.conf"

# Far more than anybody writes by hand.
_LARGEST = 1 << 20


def look_up(
    service: str, host: str, uri: ConnectionURI | None
) -> tuple[Credentials | None, list[str]]:
    """Return what ``auth.conf`` knows, None for nothing, and where that is or was looked for.

    The file is that of LIBVIRT_AUTH_FILE, else the URI's ``authfile``, else the user's, else the
    system's. Raises ConfigFileError for one that cannot be read or understood; the last two may
    well be absent. Source: virAuthGetConfigFilePath.
    """
    looked: list[str] = []
    for path, named_by in _places(uri):
        text, failure = _read(path)
        if failure is not None:
            if named_by is not None:
                raise ConfigFileError(f"{path}: cannot be read: {failure} ({named_by} names it)")
            looked.append(f"{path} ({failure})")
            continue
        sections, fault = read_sections(text)
        if fault is None:
            found, where, fault = find_credentials(sections, service, host)
        if fault is not None:
            raise ConfigFileError(f"{path}: {fault}")
        if found is not None:
            return found, [f"{path} {where}"]
        return None, [*looked, f"{path} ({where})"]
    return None, looked


def _places(uri: ConnectionURI | None) -> list[tuple[str, str | None]]:
    """Return the files to look at, the first that is there counts, and who names each."""
    environ = environment()
    named = environ.get("LIBVIRT_AUTH_FILE")
    if named is not None:
        return [(named, "LIBVIRT_AUTH_FILE")]
    named = uri.authfile if uri is not None else None
    if named is not None:
        return [(named, "the URI's authfile")]
    return [(f"{user_folder(environ)}/auth.conf", None), (SYSTEM_FILE, None)]


def _read(path: str) -> tuple[str, str | None]:
    """Return a file's text, and why it cannot be read, None if it can."""
    try:
        with open(path, "rb") as file:
            text = Concealed(file.read(_LARGEST + 1).decode("utf-8", "surrogateescape"))
    except (OSError, ValueError) as error:
        return "", (error.strerror if isinstance(error, OSError) else None) or "not a path"
    if len(text) > _LARGEST:
        return "", "too large"
    return text, None
