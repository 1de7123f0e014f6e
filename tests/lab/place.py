"""Where the lab keeps what it made once, and how it says that this is missing.

Responsible for paths and for the lock between two test runs on one machine. Knows nothing of what
is kept there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LabMissingError", "cache_folder", "locked", "made_whole", "repository"]

repository = Path(__file__).resolve().parent.parent.parent


class LabMissingError(Exception):
    """Something of the lab is not there; the message says what and how to get it."""


def cache_folder() -> Path:
    """Return the folder that outlives test runs: $VIRTPROTO_LAB or the machine's usual place."""
    return Path(os.environ.get("VIRTPROTO_LAB") or "/var/tmp/virtproto-lab")


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """Hold the cache folder for one preparer at a time; yields the folder."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@contextlib.contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes ``target`` only if the block ends well.

    So whatever stands under its final name is complete, and a half-made one from a run that was
    killed is swept away by the next.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{target.name}.part-*"):
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.part-", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
