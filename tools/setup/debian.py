"""Debian packages: which of a list are missing, and installing them without starting a service.

Responsible for apt and for the account that Debian's libvirtd asks for. It names no mirror: apt's
own settings on this machine decide.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from setup.progress import SetupError, tell

__all__ = ["DEMO_PACKAGES", "ENVIRONMENT_PACKAGES", "install", "lab_packages", "why_not"]

ENVIRONMENT_PACKAGES = ("python3-venv", "ca-certificates")
DEMO_PACKAGES = (*ENVIRONMENT_PACKAGES, "libvirt-daemon")

# The C binding is the oracle of the live suites, Wireshark's dissector another; the keyring is for
# the releases that are unpacked beside the system; cpio, e2fsprogs and qemu-utils make a guest's
# files, iproute2 the interfaces that a daemon finds; virsh is what is traced.
_DAEMON_PACKAGES = (
    "cpio",
    "debian-archive-keyring",
    "e2fsprogs",
    "iproute2",
    "libvirt-clients",
    "libvirt-daemon",
    "libvirt-wireshark",
    "python3-libvirt",
    "qemu-utils",
    "tshark",
)
# What a road to a daemon leads past. strace shows what the C client does on its way.
_ROAD_PACKAGES = (
    "dbus",
    "krb5-admin-server",
    "krb5-kdc",
    "krb5-user",
    "libsasl2-modules",
    "libsasl2-modules-gssapi-mit",
    "netcat-openbsd",
    "openssh-client",
    "openssh-server",
    "polkitd",
    "python3-gssapi",
    "sasl2-bin",
    "strace",
)
# Beside bash, for which there is completion too.
_SHELL_PACKAGES = ("fish", "zsh")
_LAB_PACKAGES = (*ENVIRONMENT_PACKAGES, *_DAEMON_PACKAGES, *_ROAD_PACKAGES, *_SHELL_PACKAGES)
# The guests run on libvirt 9.0.0. Where this is not the Debian release that has it, it is unpacked
# beside the system like the others, with its QEMU and what its networks need.
_BOOKWORM_PACKAGES = ("dnsmasq-base", "iptables", "qemu-system-x86")

_POLICY = Path("/usr/sbin/policy-rc.d")
_ACCOUNT = "libvirt-qemu"


def why_not() -> str | None:
    """Return why packages cannot be installed here, or None if they can."""
    if shutil.which("apt-get") is None or "debian" not in _os_release().get("ID", ""):
        return "this is not Debian"
    if os.geteuid() != 0:
        return "this is not root"
    return None


def lab_packages() -> tuple[str, ...]:
    """Return the packages that the suites against real daemons need on this machine."""
    if _os_release().get("VERSION_CODENAME") == "bookworm":
        return _LAB_PACKAGES + _BOOKWORM_PACKAGES
    return _LAB_PACKAGES


def install(packages: Sequence[str]) -> None:
    """Install those of ``packages`` that are missing; SetupError if that cannot be done."""
    missing = [name for name in packages if not _is_installed(name)]
    if missing:
        reason = why_not()
        if reason is not None:
            raise SetupError(f"{' '.join(missing)} cannot be installed: {reason}")
        tell(f"installing {' '.join(missing)}")
        with _no_service_starts():
            _apt_get("update", check=False)
            _apt_get("install", "--no-install-recommends", *missing)
    if "libvirt-daemon" in packages:
        _ensure_account()


def _os_release() -> dict[str, str]:
    path = Path("/etc/os-release")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition("=") for line in lines)
    return {key: value.strip('"') for key, _, value in pairs}


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
    )
    return asked.stdout == "installed"


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep packages from starting system services while they are installed.

    Debian's hook for that is a program; one that is there already stays as it is.
    """
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    try:
        _POLICY.chmod(0o755)
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _apt_get(*arguments: str, check: bool = True) -> None:
    ended = subprocess.run(
        ["apt-get", "-q", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if check and ended.returncode:
        errors = [line for line in ended.stdout.splitlines() if line.startswith("E: ")]
        reason = " ".join(errors) or ended.stdout[-500:]
        raise SetupError(f"apt-get {arguments[0]} failed: {reason}")


def _ensure_account() -> None:
    """Make the account that guests run under; only libvirt-daemon-system would bring it.

    Debian's libvirtd does not start without it, whatever qemu.conf says.
    """
    known = subprocess.run(["getent", "passwd", _ACCOUNT], capture_output=True)
    if known.returncode == 0:
        return
    tell(f"creating the account {_ACCOUNT}")
    subprocess.run(["groupadd", "--force", "--system", _ACCOUNT], check=True)
    home = ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    subprocess.run(["useradd", "--system", "--gid", _ACCOUNT, *home, _ACCOUNT], check=True)
