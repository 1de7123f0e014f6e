"""The process above one daemon: lays the mounts, starts it, and leaves nothing behind.

Run as a program by lab/daemon.py, inside a mount namespace of its own when root. It becomes the
parent of whatever the daemon leaves orphaned (QEMU guests outlive libvirtd by design), and when
its standard input ends, because the test closed it or died in whatever way, it ends the daemon and
every one of those, and removes the daemon's folder. It must not know what the daemon is.

Argument: one JSON object with "command", "folder", "binds" [[source, target]...], "root" (a
folder to change root to, or ""), "hostname" (in a UTS namespace of its own, or ""), "devices"
(whether the daemon is to find network interfaces of its own), "before" (commands that are run to
their end first, not in the changed root) and "user" (whom the daemon runs as, "" for whoever runs
this). It prints the daemon's process id,
and exits with the daemon's code.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_PATIENCE_S = 8.0  # libvirtd has been seen not to stop on SIGTERM


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def _lay_mounts(binds: list[list[str]], root: str, devices: bool) -> None:
    if root:
        # What a daemon leaves there stays out of the shared root.
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", f"{root}/run")
        _mount("--bind", "/tmp", f"{root}/tmp")  # certificates and the like are there
        _mount("-t", "proc", "proc", f"{root}/proc")
        for name in ("sys", "dev"):
            _mount("--rbind", f"/{name}", f"{root}/{name}")
    if devices:
        _make_interfaces()
        _show_interfaces(f"{root}/sys")
    # Where the root is another, whatever runs beside the daemon is to find the same as it.
    for place in dict.fromkeys((root, "")):
        for source, target in binds:
            if os.path.isdir(source):
                os.makedirs(place + target, exist_ok=True)
            elif not os.path.exists(place + target):
                Path(place + target).touch()
            _mount("--bind", source, place + target)


def _make_interfaces() -> None:
    """Give this network namespace a loopback device that is up and a pair of linked interfaces."""
    for change in (
        "link set lo up",
        "link add lab0 type veth peer name lab1",
        "addr add 10.99.0.1/24 dev lab0",
        "link set lab0 up",
        "link set lab1 up",
    ):
        subprocess.run(["ip", *change.split()], check=True, stdin=subprocess.DEVNULL)


def _show_interfaces(target: str) -> None:
    """Make ``target`` a sysfs of this network namespace; the one that was there is the machine's.

    Its control groups are kept: a sysfs comes without them.
    """
    groups = "/sys/fs/cgroup"
    kept = os.path.ismount(groups)
    handle = os.open(groups, os.O_PATH) if kept else -1
    _mount("-t", "sysfs", "sysfs", target)
    if kept:
        # As it stands: the path that it would be resolved to is hidden by now.
        source = f"/proc/{os.getpid()}/fd/{handle}"
        _mount("--no-canonicalize", "--rbind", source, f"{target}/fs/cgroup")
        os.close(handle)


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
        _lay_mounts(order["binds"], root, order["devices"])
        if order["hostname"]:
            socket.sethostname(order["hostname"])
    for command in order["before"]:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    command = order["command"]
    if order["user"]:
        command = ["chroot", f"--userspec={order['user']}", "--groups=", root or "/", *command]
    elif root:
        command = ["chroot", root, *command]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(daemon.pid, flush=True)
    code, ordered = _watch(daemon.pid, wakeup)
    _end_the_rest()
    if ordered:  # else whoever started it may want to read why it ended
        shutil.rmtree(order["folder"], ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
