"""Folders with another release's libvirtd in them: unpacked, never installed or configured.

Responsible for which releases the lab has, where each one's libvirtd is found on this machine, and
for making the folders. It must not know how a daemon is started.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.apt import download_closure
from tests.lab.place import LabMissingError, cache_folder, made_whole

__all__ = [
    "RELEASES",
    "Release",
    "host_version",
    "lay_out",
    "make_root",
    "needs_root",
    "root_of",
    "unpack",
]

# From Debian 13 on the drivers are packages of their own, and the network driver does not start
# without a firewall backend.
_SPLIT_DRIVERS = (
    "libvirt-daemon",
    "libvirt-daemon-log",
    "libvirt-daemon-driver-interface",
    "libvirt-daemon-driver-network",
    "libvirt-daemon-driver-nodedev",
    "libvirt-daemon-driver-nwfilter",
    "libvirt-daemon-driver-secret",
    "libvirt-daemon-driver-storage",
    "nftables",
)

# What the release that runs the guests needs besides: images, and networks with leases. It is the
# one that asks for passwords and tickets, too.
_FOR_GUESTS = ("qemu-system-x86", "qemu-utils", "dnsmasq-base", "iptables")
_FOR_SASL = ("libsasl2-modules", "libsasl2-modules-gssapi-mit")


@dataclass(frozen=True)
class Release:
    """A libvirt release of the lab and the Debian suite that carries it."""

    version: str
    suite: str
    packages: tuple[str, ...]


# The version of "forky" is the lowest to be had: Debian's testing suite moves on.
RELEASES = {
    release.version: release
    for release in (
        Release("7.0.0", "bullseye", ("libvirt-daemon",)),
        Release("9.0.0", "bookworm", ("libvirt-daemon", *_FOR_GUESTS, *_FOR_SASL)),
        Release("11.3.0", "trixie", _SPLIT_DRIVERS),
        Release("12.8.0", "forky", _SPLIT_DRIVERS),
    )
}

_NOT_UNPACKED = ("doc", "icu", "info", "locale", "man")

_ACCOUNTS = {
    "passwd": (
        "root:x:0:0:root:/root:/bin/sh",
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        "libvirt-qemu:x:64055:64055:QEMU:/nonexistent:/usr/sbin/nologin",
    ),
    "group": (
        "root:x:0:",
        "tty:x:5:",
        "kvm:x:107:",
        "libvirt:x:108:",
        "libvirt-qemu:x:64055:",
        "nogroup:x:65534:",
    ),
    "nsswitch.conf": ("passwd: files", "group: files", "hosts: files"),
    "hosts": ("127.0.0.1 localhost",),
    "hostname": ("lab",),
}


@functools.cache
def host_version() -> str | None:
    """Return the version of the libvirtd that is installed on this machine, or None."""
    if shutil.which("libvirtd") is None:
        return None
    said = subprocess.run(["libvirtd", "--version"], capture_output=True, text=True).stdout
    return said.split()[-1] if said else None


def needs_root(release: Release) -> bool:
    """Tell whether ``release`` has to come out of a folder, not from the machine itself."""
    return release.version != host_version()


def root_of(version: str) -> Path | None:
    """Return the folder of libvirt ``version``, or None where the machine itself has it.

    LabMissingError if there is neither.
    """
    release = RELEASES[version]
    if not needs_root(release):
        return None
    folder = _folder(release)
    if not folder.is_dir():
        raise LabMissingError(f"there is no libvirtd {version} in {cache_folder()}: run ./test")
    return _root(folder)


def make_root(release: Release) -> bool:
    """Unpack ``release`` into its folder unless it is there; return whether it was made."""
    target = _folder(release)
    if target.is_dir():
        return False
    for old in target.parent.glob(f"{release.suite}-*"):
        shutil.rmtree(old)
    with made_whole(target) as scratch:
        apt = scratch / "apt"
        packages = download_closure(release.suite, release.packages, apt)
        root = _root(scratch)
        lay_out(root)
        for package in packages:
            unpack(package, root)
        shutil.rmtree(apt)
        _finish(root)
    return True


def _folder(release: Release) -> Path:
    # The name changes with what is in it, so that another package list means another folder.
    content = "\n".join((*release.packages, repr(_ACCOUNTS)))
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return cache_folder() / "roots" / f"{release.suite}-{digest}"


def _root(folder: Path) -> Path:
    return folder / "root"


def lay_out(root: Path) -> None:
    """Give an empty folder the links that Debian's packages expect."""
    for name in ("bin", "sbin", "lib", "lib64"):  # the merged /usr of Debian's base-files
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def unpack(package: Path, root: Path, *patterns: str) -> None:
    """Unpack a .deb file below ``root``; with ``patterns`` (of tar), nothing but what they match.

    LabMissingError if it is damaged, or nothing matches a pattern.
    """
    left_out = [f"--exclude=./usr/share/{name}" for name in _NOT_UNPACKED]
    if patterns:
        left_out += ["--wildcards", *patterns]
    tar = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner", *left_out]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as source:
        unpacked = subprocess.run(tar, stdin=source.stdout, capture_output=True, text=True)
    if unpacked.returncode or source.returncode:
        raise LabMissingError(f"{package.name} cannot be unpacked: {unpacked.stderr.strip()}")


def _finish(root: Path) -> None:
    folders: Sequence[str] = ("proc", "sys", "dev", "tmp", "run", "root", "etc/libvirt")
    for name in (*folders, *(f"var/{name}/libvirt" for name in ("lib", "cache", "log"))):
        (root / name).mkdir(parents=True, exist_ok=True)
    if not (root / "var" / "run").is_symlink():
        shutil.rmtree(root / "var" / "run", ignore_errors=True)
        (root / "var" / "run").symlink_to("/run")
    for name, lines in _ACCOUNTS.items():
        (root / "etc" / name).write_text("".join(f"{line}\n" for line in lines))
    subprocess.run(["ldconfig", "-r", str(root)], check=False, capture_output=True)
