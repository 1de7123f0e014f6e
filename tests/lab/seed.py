"""What this machine's QEMU can do, asked once and kept.

libvirt asks every QEMU binary at its first use, for seconds; a copy of what it found makes each
private daemon start at once. Responsible for that copy and for noticing that it is out of date.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from pathlib import Path

from tests.lab.daemon import PrivateDaemon
from tests.lab.place import cache_folder, made_whole
from tests.lab.rawcall import (
    AUTH_LIST,
    CONNECT_GET_CAPABILITIES,
    CONNECT_OPEN,
    RawConnection,
    xdr_string,
)
from tests.lab.roots import root_of

__all__ = ["SEEDED_VERSION", "kept_capabilities", "seed"]

# The release whose QEMU driver the suites use.
SEEDED_VERSION = "9.0.0"

_PROBING_S = 120.0


def kept_capabilities() -> Path | None:
    """Return the folder to hand to ``PrivateDaemon``, or None if QEMU has not been asked yet."""
    folder = _folder()
    return folder if folder.is_dir() else None


def seed() -> bool:
    """Ask QEMU unless that was done for these very binaries; return whether it was asked."""
    if kept_capabilities() is not None:
        return False
    target = _folder()
    for old in target.parent.glob("qemu-*"):
        shutil.rmtree(old)
    with made_whole(target) as scratch, PrivateDaemon(root=root_of(SEEDED_VERSION)) as daemon:
        with RawConnection(daemon.socket_path, _PROBING_S) as connection:
            connection.call(AUTH_LIST)
            name = struct.pack(">I", 1) + xdr_string("qemu:///system")
            connection.call(CONNECT_OPEN, name + struct.pack(">I", 0))
            connection.call(CONNECT_GET_CAPABILITIES)
        shutil.copytree(daemon.folder / "cache", scratch, dirs_exist_ok=True)
    return True


def _folder() -> Path:
    root = root_of(SEEDED_VERSION)
    facts = [os.uname().release]
    for name in ("usr/sbin/libvirtd", "usr/bin/qemu-system-x86_64"):
        status = ((root or Path("/")) / name).stat()
        facts += [name, str(status.st_size), str(status.st_mtime_ns), str(status.st_ctime_ns)]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    return cache_folder() / "capabilities" / f"qemu-{digest}"
