"""The process above one daemon: lays the mounts, starts it, and leaves nothing behind.

Run as a program by lab/daemon.py, inside a mount namespace of its own when root. It becomes the
parent of whatever the daemon leaves orphaned (QEMU guests outlive libvirtd by design), and when
its standard input ends, because the test closed it or died in whatever way, it ends the daemon and
every one of those, and removes the daemon's folder. It must not know what the daemon is.

Argument: one JSON object with "command", "folder", "binds" [[source, target]...] and "root" (a
folder to change root to, or ""). It prints the daemon's process id, and exits with the
daemon's code.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_PATIENCE_S = 8.0  # libvirtd has been seen not to stop on SIGTERM


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def _lay_mounts(binds: list[list[str]], root: str) -> None:
    if root:
        for name in ("run", "tmp"):  # what a daemon leaves there stays out of the shared root
            _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", f"{root}/{name}")
        _mount("-t", "proc", "proc", f"{root}/proc")
        for name in ("sys", "dev"):
            _mount("--rbind", f"/{name}", f"{root}/{name}")
    for source, target in binds:
        os.makedirs(root + target, exist_ok=True)
        _mount("--bind", source, root + target)


def _children() -> list[int]:
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(daemon: int) -> int | None:
    """Collect every child that has ended; return the daemon's exit code if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == daemon:
            code = os.waitstatus_to_exitcode(status)


def _watch(daemon: int, wakeup: int) -> tuple[int, bool]:
    """Wait for the daemon to end, or end it once standard input does.

    Returns its exit code and whether standard input had ended.
    """
    stop_at: float | None = None
    watched = [0, wakeup]
    while True:
        code = _reap(daemon)
        if code is not None:
            return code, 0 not in watched
        left = None if stop_at is None else max(0.0, stop_at - time.monotonic())
        ready, _, _ = select.select(watched, [], [], left)
        if wakeup in ready:
            os.read(wakeup, 4096)
        if 0 in ready and not os.read(0, 4096):
            watched = [wakeup]
            stop_at = time.monotonic() + _PATIENCE_S
            _signal(daemon, signal.SIGTERM)
        if left == 0.0 and not ready:
            _signal(daemon, signal.SIGKILL)
            stop_at = None


def _end_the_rest() -> None:
    while children := _children():
        for pid in children:
            _signal(pid, signal.SIGKILL)
        for pid in children:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue


def main() -> int:
    """Run the command given as JSON in the first argument until it or standard input ends."""
    order = json.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        # Only the end of standard input is an order. Not SIG_IGN: the daemon would inherit that.
        signal.signal(number, lambda _number, _frame: None)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)
    root = order["root"]
    if os.geteuid() == 0:
        _lay_mounts(order["binds"], root)
    command = (["chroot", root] if root else []) + order["command"]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(daemon.pid, flush=True)
    code, ordered = _watch(daemon.pid, wakeup)
    _end_the_rest()
    if ordered:  # else whoever started it may want to read why it ended
        shutil.rmtree(order["folder"], ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
