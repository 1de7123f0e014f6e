"""The lab brought into being: whatever takes long is made once and kept in the cache folder.

Responsible for the order and for telling how far it is. Run as ``python -m tests.lab`` (which
./test does); it needs root and the Debian packages that ./test installs.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.lab.daemon import DaemonError
from tests.lab.guest_image import make_image
from tests.lab.place import LabMissingError, locked
from tests.lab.polkit import make_actions
from tests.lab.roots import RELEASES, Release, make_root, needs_root
from tests.lab.seed import seed

__all__ = ["main", "prepare"]


def prepare() -> None:
    """Make what is missing of the lab; LabMissingError says what could not be made."""
    if os.geteuid() != 0:
        raise LabMissingError("the lab needs root: its daemons run in mount namespaces")
    with locked():
        wanted = [release for release in RELEASES.values() if needs_root(release)]
        with ThreadPoolExecutor(max_workers=2) as workers:
            for _ in workers.map(_make_root, wanted):
                continue
        started = time.monotonic()
        if make_image():
            _tell(f"Linux guest made of Debian packages in {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        if make_actions():
            _tell(f"libvirt's polkit actions fetched in {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        if seed():
            _tell(f"QEMU's capabilities asked and kept in {time.monotonic() - started:.1f} s")


def _make_root(release: Release) -> None:
    started = time.monotonic()
    if make_root(release):
        took = time.monotonic() - started
        _tell(f"libvirt of Debian {release.suite} unpacked in {took:.1f} s")


def _tell(line: str) -> None:
    print(f"  lab: {line}", flush=True)


def main() -> int:
    """Prepare the lab; print what is missing and return 1 if that fails."""
    try:
        prepare()
    except (LabMissingError, DaemonError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
