"""Who is at the other end of a socket on this machine, as the system tells it.

Responsible for users and processes of peers, and for whether they may be let in as us. Must not
know what they come for.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from socket import SO_PEERCRED, SOL_SOCKET, socket
from struct import Struct
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["is_ours", "peer_credentials"]

_CREDENTIALS = Struct("3i")
_ROOT = 0

# Of a row of /proc/net/tcp: addresses, state, user, and the number of the socket's file.
_LOCAL, _REMOTE, _STATE, _USER, _FILE = 1, 2, 3, 7, 9
# Established, and half closed by the other end.
_OPEN = ("01", "08")
_MAPPED = bytes(10) + b"\xff\xff"


def peer_credentials(sock: socket) -> tuple[int, int, int]:
    """Return the process, user and group at the other end of a unix socket. Raises OSError."""
    pid, uid, gid = _CREDENTIALS.unpack(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid, gid


def is_ours(sock: socket) -> bool:
    """Return whether this user, or root, is at the other end of a unix or loopback socket.

    False as well where that cannot be told. Raises OSError where the other end has gone.
    """
    if isinstance(sock.getsockname(), tuple):
        uid = _user_of(sock.getpeername(), sock.getsockname())
    else:
        uid = peer_credentials(sock)[1]
    return uid in (_ROOT, os.geteuid())


def _user_of(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> int | None:
    """Return whose socket is connected from one address to another, None where nobody holds it."""
    for table, wanted in _rows(theirs, ours).items():
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            for line in file:
                row = line.split()
                if row[_LOCAL : _REMOTE + 1] == wanted and row[_STATE] in _OPEN:
                    # One that its process has closed is nobody's, and told as root's.
                    return int(row[_USER]) if row[_FILE] != "0" else None
    return None


def _rows(*addresses: tuple[Any, ...]) -> dict[str, list[str]]:
    """Return how the system's tables name two addresses, by table."""
    hosts = [ip_address(str(each[0]).partition("%")[0]) for each in addresses]
    # IPv4 may be inside of IPv6 at either end.
    short = [getattr(each, "ipv4_mapped", None) or each for each in hosts]
    tables = {
        "tcp6": [_MAPPED + each.packed if each.version == 4 else each.packed for each in short]
    }
    if all(each.version == 4 for each in short):
        tables["tcp"] = [each.packed for each in short]
    return {
        table: [_written(*each) for each in zip(packed, addresses, strict=True)]
        for table, packed in tables.items()
    }


def _written(packed: bytes, address: tuple[Any, ...]) -> str:
    """Return an address as the tables have it: words as this machine's numbers."""
    words = (int.from_bytes(packed[at : at + 4], byteorder) for at in range(0, len(packed), 4))
    return f"{''.join(f'{word:08X}' for word in words)}:{address[1]:04X}"
