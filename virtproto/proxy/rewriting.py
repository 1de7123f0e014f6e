"""A program's command line and environment, with their connection URIs leading elsewhere.

Responsible for which words are URIs, which of them have to be changed, and what they become then.
Pure: what they mean on this machine, and where they shall lead, is asked of the caller.

Only what a program takes for its own connection is changed: the variables that libvirt and virsh
read, and what follows -c or --connect, or stands in one word with it.
"""

from __future__ import annotations

import re
from posixpath import basename
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from virtproto.model.uri import ConnectionURI

    # Given a URI's text, and whether it is opened for reading only: None to leave it as it is, else
    # what it means and the path of the socket that it shall lead to.
    Redirect = Callable[[str | None, bool], "tuple[ConnectionURI | None, str] | None"]

__all__ = ["VARIABLES", "is_daemons", "redirected", "rewrite", "sockets_named"]

# Of libvirt itself, and of virsh alone, which goes before.
DEFAULT, OF_VIRSH = "LIBVIRT_DEFAULT_URI", "VIRSH_DEFAULT_CONNECT_URI"
VARIABLES = (DEFAULT, OF_VIRSH)

# Drivers that only daemons have, so that no transport need be written for a local one.
_OF_DAEMONS = frozenset(
    [
        "bhyve",
        "ch",
        "interface",
        "lxc",
        "network",
        "nodedev",
        "nwfilter",
        "qemu",
        "secret",
        "storage",
        "vz",
        "xen",
    ]
)

_OPTIONS = ("-c", "--connect")
# Both in one word with their URI; what else begins with -c has no scheme behind it.
_JOINED = re.compile(r"--connect=|-c(?=[a-z][a-z0-9+.\-]*:/)")
_READ_ONLY = ("-r", "--readonly")


def rewrite(
    argv: Sequence[str], environ: Mapping[str, str], redirect: Redirect
) -> tuple[list[str], dict[str, str]]:
    """Return ``argv`` and ``environ`` with those URIs changed that ``redirect`` wants elsewhere.

    Without a URI anywhere, ``redirect`` is asked about None: what is the default here.
    """
    words, variables = list(argv), dict(environ)
    is_virsh = basename(argv[0]) == "virsh"
    readonly = is_virsh and any(word in _READ_ONLY for word in argv[1:])

    def elsewhere(text: str | None) -> str | None:
        found = redirect(text, readonly)
        return redirected(*found) if found is not None else None

    for index, word in enumerate(argv[1:], 1):
        joined = _JOINED.match(word)
        if joined is not None:
            changed = elsewhere(word[joined.end() :])
            if changed is not None:
                words[index] = joined.group() + changed
        elif argv[index - 1] in _OPTIONS and index > 1:
            changed = elsewhere(word)
            if changed is not None:
                words[index] = changed
    for name in VARIABLES:
        if variables.get(name):
            variables[name] = elsewhere(variables[name]) or variables[name]
    if not variables.get(DEFAULT):
        changed = elsewhere(None)
        if changed is not None:
            variables[DEFAULT] = changed
    return words, variables


def redirected(uri: ConnectionURI | None, path: str) -> str:
    """Return the URI that leads to a socket, and asks the daemon there for what ``uri`` does."""
    if uri is None:
        return f"remote+unix:///?socket={quote(path, safe='/')}&name="
    # The path matters to clients as well: a user's own daemon they would start themselves.
    place = "/system" if uri.path in (None, "/session") else quote(uri.path, safe="/")
    socket, name = quote(path, safe="/"), quote(uri.name_to_send(), safe=":/")
    return f"{uri.driver}+unix://{place}?socket={socket}&name={name}"


def is_daemons(uri: ConnectionURI | None) -> bool:
    """Return whether libvirt's own client goes to a daemon of this machine for a local URI.

    It has drivers within itself (``test:///default``), and other clients other schemes.
    """
    return uri is None or "+" in uri.scheme or uri.scheme in _OF_DAEMONS


def sockets_named(words: Sequence[str]) -> set[str]:
    """Return the sockets that URIs name by ``socket=``; ``words`` may hold them anywhere.

    As they are written in there: an abstract one begins with an @.
    """
    from virtproto.errors import URIError
    from virtproto.model.uri import parse_uri

    found = set()
    for word in words:
        if "socket=" not in word:
            continue
        for text in (word, word.partition("=")[2]):
            try:
                path = parse_uri(text).parameter("socket")
            except URIError:
                continue
            if path:
                found.add(path)
    return found
