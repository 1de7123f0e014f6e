"""What the Linux guest boots from: kernel, first file system, disk; made once of Debian packages.

Debian's kernel for clouds, busybox and QEMU's guest agent, none of them installed here. Responsible
for making the three files and keeping them; what the guest does is in ``guest_init.sh``, and how it
becomes a domain is not known here.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.apt import download_closure
from tests.lab.place import LabMissingError, cache_folder, made_whole
from tests.lab.roots import lay_out, unpack

__all__ = ["GuestImage", "image_folder", "kept_image", "make_image"]

_SUITE = "bookworm"
_PACKAGES = ("busybox-static", "linux-image-cloud-amd64", "qemu-guest-agent")
_DISK_MIB = 16

# Files below the kernel's modules: disks, a network card, a balloon, the channel of the agent,
# a random number source, the power button and ext4. Some kernels have a few of them built in.
_MODULES = (
    "crypto/crc32c_generic.ko",
    "drivers/acpi/button.ko",
    "drivers/block/virtio_blk.ko",
    "drivers/char/hw_random/*.ko",
    "drivers/char/virtio_console.ko",
    "drivers/input/evdev.ko",
    "drivers/net/net_failover.ko",
    "drivers/net/virtio_net.ko",
    "drivers/virtio/*.ko",
    "fs/ext4/*.ko",
    "fs/jbd2/*.ko",
    "fs/mbcache.ko",
    "lib/crc16.ko",
    "lib/libcrc32c.ko",
    "net/core/failover.ko",
    "net/packet/af_packet.ko",
)

# The agent changes a password, the clock and the power state by calling programs: these.
_PROGRAMS = {
    "sbin/shutdown": 'case "$*" in *-r*) exec reboot -f ;; *) exec poweroff -f ;; esac',
    "sbin/chpasswd": "cat >>/run/passwords",
    "sbin/hwclock": "exit 0",
    "etc/acpi/PWRF/00000080": "poweroff -f",
    "etc/udhcpc.sh": '[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"',
}
_TEXTS = {
    "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
    "etc/shadow": "root::19000:0:99999:7:::\n",
    "etc/group": "root:x:0:\n",
    "etc/shells": "/bin/sh\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAAlab alice@lab\n",
    "etc/timezone": "UTC\n",
    "etc/os-release": 'ID=lab\nNAME="Lab guest"\nPRETTY_NAME="Lab guest 1"\nVERSION_ID=1\n',
}
_FOLDERS = ("dev", "mnt", "proc", "root/.ssh", "run", "sys", "tmp", "var/lib/qemu", "lib/modules")

# One record of utmp(5), so that the agent sees a user who is logged in.
_LOGGED_IN = struct.pack("<hhi32s4s32s256s36x", 7, 0, 1, b"ttyS0", b"S0", b"alice", b"") + bytes(16)


@dataclass(frozen=True)
class GuestImage:
    """The three files of the Linux guest; the disk is to be copied before use."""

    kernel: Path
    first_files: Path
    disk: Path


def kept_image() -> GuestImage:
    """Return the files; LabMissingError if they have not been made."""
    folder = image_folder()
    if not folder.is_dir():
        raise LabMissingError(f"there is no Linux guest in {cache_folder()}: run ./test")
    return _image(folder)


def make_image() -> bool:
    """Make the files unless they are there; return whether they were made."""
    target = image_folder()
    if target.is_dir():
        return False
    for old in target.parent.glob("linux-*"):
        shutil.rmtree(old)
    with made_whole(target) as scratch:
        work = scratch / "work"
        packages = download_closure(_SUITE, _PACKAGES, work / "apt")
        image = _image(scratch)
        _take_kernel(packages, work / "kernel", image.kernel)
        root = work / "root"
        _lay_out_root(packages, work, root)
        _pack_root(root, image.first_files)
        _make_disk(work, image.disk)
        shutil.rmtree(work)
    return True


def image_folder() -> Path:
    """Return the folder that has the files once they are made; guests' daemons have to see it."""
    facts = repr((_PACKAGES, _MODULES, _PROGRAMS, _TEXTS, _FOLDERS, _LOGGED_IN, _DISK_MIB))
    content = facts.encode() + _init_program().read_bytes()
    return cache_folder() / "guests" / f"linux-{hashlib.sha256(content).hexdigest()[:8]}"


def _image(folder: Path) -> GuestImage:
    return GuestImage(folder / "vmlinuz", folder / "initrd.gz", folder / "disk.qcow2")


def _init_program() -> Path:
    return Path(__file__).with_name("guest_init.sh")


def _take_kernel(packages: list[Path], folder: Path, kernel: Path) -> None:
    folder.mkdir()
    [package] = (p for p in packages if p.name.startswith("linux-image-6"))
    unpack(package, folder, "./boot/vmlinuz-*", "./lib/modules/*")
    [found] = (folder / "boot").iterdir()
    found.rename(kernel)


def _lay_out_root(packages: list[Path], work: Path, root: Path) -> None:
    """Fill ``root`` with what the guest starts from; the agent brings its libraries with it."""
    whole = work / "whole"
    lay_out(whole)
    for package in packages:
        if package.name.startswith(("lib", "qemu-guest-agent", "busybox-static")):
            unpack(package, whole)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True)
    for name in ("bin/busybox", "usr/sbin/qemu-ga", *_libraries(whole, "/usr/sbin/qemu-ga")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / name, root / name)
    [modules] = (work / "kernel" / "lib" / "modules").glob("*/kernel")
    for pattern in _MODULES:
        for module in modules.glob(pattern):
            shutil.copy(module, root / "lib" / "modules")
    shutil.copy(_init_program(), root / "init")
    (root / "init").chmod(0o755)
    for name, line in _PROGRAMS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    for name, text in _TEXTS.items():
        (root / name).write_text(text)
    (root / "var" / "run").symlink_to("/run")
    (root / "run" / "utmp").write_bytes(_LOGGED_IN)


def _libraries(root: Path, program: str) -> list[str]:
    """Return the files below ``root`` that ``program`` is linked with, its loader among them."""
    loader = "/lib64/ld-linux-x86-64.so.2"
    listed = _run(["chroot", str(root), loader, "--list", program])
    words = [word for line in listed.splitlines() for word in line.split()]
    return [loader[1:], *(word[1:] for word in words if word.startswith("/lib/"))]


def _pack_root(root: Path, target: Path) -> None:
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"],
        cwd=root,
        input=names.encode(),
        capture_output=True,
    )
    if packed.returncode:
        raise LabMissingError(f"cpio failed: {packed.stderr.decode()}")
    with open(target, "wb") as out:
        subprocess.run(["gzip", "-1"], input=packed.stdout, stdout=out, check=True)


def _make_disk(work: Path, target: Path) -> None:
    content, raw = work / "content", work / "disk.img"
    content.mkdir()
    (content / "hello.txt").write_text("hello\n")
    with open(raw, "wb") as disk:
        disk.truncate(_DISK_MIB * 1024 * 1024)
    _run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "lab", "-d", str(content), str(raw)])
    _run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(target)])


def _run(command: list[str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise LabMissingError(f"{command[0]} failed: {ended.stderr.strip()}")
    return ended.stdout
