"""Saying something on a QEMU's monitor that QEMU would not.

Responsible for finding the monitor's socket among a running QEMU's files. It must not know what
libvirt makes of it.
"""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

__all__ = ["say_nonsense"]

# pidfd_getfd(2), the same number on every architecture.
_PIDFD_GETFD = 438
_CONNECTED = "03"


def say_nonsense(pid: int) -> None:
    """Have the QEMU of process ``pid`` say to libvirt what is no JSON."""
    ends = _monitors(pid)
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(link) in ends:
            with _borrowed(pid, int(link.name)) as end:
                end.sendall(b"nonsense\r\n")
            return
    raise LookupError(f"process {pid} has no connected monitor")


def _monitors(pid: int) -> set[str]:
    """Return the connected sockets of monitors, as links to them read."""
    rows = (line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines())
    return {
        f"socket:[{row[6]}]" for row in rows if row[5] == _CONNECTED and "monitor.sock" in row[-1]
    }


def _borrowed(pid: int, number: int) -> socket.socket:
    """Return a socket that another process has open."""
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy: int = libc.syscall(_PIDFD_GETFD, process, number, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.socket(fileno=copy)
    finally:
        os.close(process)
