"""Which addresses a process connected to, read from a trace of its system calls.

Responsible for strace's format. Cases are told apart by a mark that each of them makes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["STRACE", "connects_by_case"]

# Followed by the file to write and the program to run.
STRACE = (
    *("strace", "-f", "--seccomp-bpf", "-qq", "-s", "200"),
    *("-e", "trace=socket,connect", "-e", "signal=none", "-o"),
)

_MARK = "@virtproto-uri-case-"
_OURS = "@virtproto-uri-"
# Services of the machine that the C library turns to by itself.
_NOT_DAEMONS = ("/run/nscd/", "/var/run/nscd/", "/dev/log", "/run/systemd/", "/run/dbus/")

_SOCKET = re.compile(r"socket\(AF_(INET6?|UNIX), SOCK_(\w+)")
_RESULT = re.compile(r"= (\d+)$")
_CONNECT = re.compile(r"connect\((\d+)(?:<[^>]*>)?, \{(.*?)\}, \d+")
_UNIX = re.compile(r'sun_path=(@?)"((?:[^"\\]|\\.)*)"')
_INET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]*)"')


def connects_by_case(lines: Iterable[str]) -> dict[int, list[str]]:
    """Return, by the number of a case, the addresses connected to, in order.

    Written as "unix:/path", "unix:@name", "tcp:127.0.0.1:16509" or "tcp:[::1]:16509".
    """
    found: dict[int, list[str]] = {}
    at: list[str] = []
    reading = _Reading()
    for line in lines:
        address = reading.address(line)
        if address is None:
            continue
        if address.startswith(f"unix:{_MARK}"):
            at = found.setdefault(int(address.rpartition("-")[2]), [])
        elif not address.startswith((f"unix:{_OURS}", *(f"unix:{n}" for n in _NOT_DAEMONS))):
            at.append(address)
    return found


class _Reading:
    """What is remembered from line to line: which sockets are datagram ones."""

    def __init__(self) -> None:
        self._begun: dict[str, str] = {}
        # Datagram sockets only ask the kernel which way an address lies.
        self._datagram: dict[tuple[str, str], bool] = {}

    def address(self, line: str) -> str | None:
        """Return the address that ``line`` connects to, if it does."""
        thread, _, call = line.strip().partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            self._begun[thread] = call
        elif call.startswith("<... socket resumed>"):
            call = self._begun.pop(thread, "") + call
        made = _SOCKET.search(call)
        if made:
            result = _RESULT.search(call)
            if result:
                self._datagram[thread, result.group(1)] = "DGRAM" in call
            return None
        connecting = _CONNECT.match(call)
        if not connecting or self._datagram.get((thread, connecting.group(1)), False):
            return None
        return _address(connecting.group(2))


def _address(text: str) -> str | None:
    unix = _UNIX.search(text)
    if unix:
        path = unix.group(2).encode("latin-1").decode("unicode_escape").encode("latin-1")
        name = path.decode("utf-8", "surrogateescape")
        bare = name.rstrip("\0")
        # An abstract name is all of its bytes, and some clients send all that there is room for.
        filled = f" and {len(name) - len(bare)} NULs" if bare != name else ""
        return f"unix:{unix.group(1)}{bare}{filled}"
    inet = _INET.search(text)
    if inet:
        port, host = inet.groups()
        return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
    return None
