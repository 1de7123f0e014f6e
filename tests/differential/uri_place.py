"""The place in which URIs are tried: a machine of its own as far as paths and networks go.

Responsible for the folders, names, programs and users that both clients find there. It runs inside
mount and network namespaces that nobody else is in, so that system paths and ports can be fixed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = [
    "CONTROL",
    "HOMES",
    "PLACE",
    "USERS",
    "environment_of",
    "lay_out",
    "write_config",
]

# Everything that this place has beside a usual system.
PLACE = Path("/run/uri")
# Where the programs of this place report; an abstract name, so of this network only.
CONTROL = "\0virtproto-uri-control"

USERS = {"root": 0, "nobody": 65534}
HOMES = {"root": "/run/homes/root", "nobody": "/run/homes/nobody"}

_NAMES = """127.0.0.1 localhost
::1 localhost
127.0.0.8 box box.example.com
127.0.0.9 twice
127.0.0.10 twice
::1 six
"""

# A client's environment beside what its case says. It holds what ssh is given and what it is not.
_ENVIRONMENT = {
    "PATH": f"{PLACE}/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LIBVIRT_AUTOSTART": "0",
    "LOGNAME": "somebody",
    "TMPDIR": "/tmp",
    "KRB5CCNAME": "FILE:/nowhere",
    "SSH_AUTH_SOCK": "/run/uri/agent",
    "SSH_ASKPASS": "/run/uri/bin/askpass",
    "SSH_ASKPASS_REQUIRE": "never",
    "DISPLAY": ":7",
    "XAUTHORITY": "/run/uri/xauthority",
    "GPG_TTY": "/dev/null",
    "TERM": "dumb",
    "LD_LIBRARY_PATH": "/run/uri/lib",
    "EDITOR": "ed",
    "VIRTPROTO_SOMETHING": "else",
}

# Who logs in where: the SSH host takes the password "secret".
_AUTH = {
    "auth.conf": """
[credentials-right]
username=fred
password=secret
[auth-ssh-box]
credentials=right
""",
    "default.conf": "[credentials-x]\npassword=secret\n[auth-ssh-default]\ncredentials=x\n",
    "nothing.conf": "[credentials-x]\npassword=secret\n[auth-libvirt-box]\ncredentials=x\n",
    "lost.conf": "[auth-ssh-box]\ncredentials=nobody\n",
    "bare.conf": "[auth-ssh-box]\n",
    "broken.conf": "credentials=right\n",
    "pathless.conf": "[credentials-x]\nusername=fred\n[auth-ssh-box]\ncredentials=x\n",
}

# What stands for ssh, for a command of the user's and for a daemon: says how it was run, hands its
# standard input to whoever watches, and stays until that is over.
_PROGRAM = """#!/usr/bin/python3 -ISE
import json, os, socket, sys
with open("/proc/self/environ", "rb") as file:
    environment = [entry.decode() for entry in file.read().split(b"\\0") if entry]
with socket.socket(socket.AF_UNIX) as control:
    control.connect("\\0virtproto-uri-control")
    report = json.dumps({"argv": sys.argv, "environment": sorted(environment)})
    socket.send_fds(control, [report.encode() + b"\\n"], [0])
    control.recv(1)
"""
PROGRAMS = ("ssh", "other-ssh", "ssh with space", "carrier", "libvirtd", "virtqemud")


def lay_out() -> None:
    """Make the place, in the namespaces of this process, which have to be its own."""
    if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):
        raise RuntimeError("this would change the machine: run it by unshare -m -n")
    for command in ("ip link set lo up", "mount -t tmpfs -o mode=755 tmpfs /run"):
        subprocess.run(command.split(), check=True, stdin=subprocess.DEVNULL)
    for folder in (PLACE / "bin", PLACE / "lib", PLACE / "etc", Path("/run/libvirt")):
        folder.mkdir(parents=True)
    subprocess.run(["cp", "-a", "/etc/.", str(PLACE / "etc")], check=True)
    subprocess.run(["mount", "--bind", str(PLACE / "etc"), "/etc"], check=True)
    Path("/etc/hosts").write_text(_NAMES)
    Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    shutil.rmtree("/etc/libvirt", ignore_errors=True)
    Path("/etc/libvirt").mkdir()
    for name in PROGRAMS:
        program = PLACE / "bin" / name
        program.write_text(_PROGRAM)
        program.chmod(0o755)
    for name, text in _AUTH.items():
        (PLACE / name).write_text(text)
    for user, home in HOMES.items():
        folders = [Path(home, ".ssh"), Path(home, ".config/libvirt"), Path(home, ".cache")]
        for folder in (*folders, Path(f"/run/user/{USERS[user]}/libvirt")):
            folder.mkdir(parents=True)
        for owned in (Path(home), Path(f"/run/user/{USERS[user]}")):
            subprocess.run(["chown", "-R", str(USERS[user]), str(owned)], check=True)


def environment_of(user: str, changes: dict[str, str]) -> dict[str, str]:
    """Return a client's environment; an empty text in ``changes`` takes a variable away."""
    usual = {**_ENVIRONMENT, "HOME": HOMES[user], "USER": user}
    if user != "root":
        usual["XDG_RUNTIME_DIR"] = f"/run/user/{USERS[user]}"
    usual.update(changes)
    return {name: value for name, value in usual.items() if value}


def write_config(user: str, text: str) -> Path:
    """Write the client configuration that ``user`` has; return its file."""
    folder = Path("/etc/libvirt") if user == "root" else Path(HOMES[user], ".config/libvirt")
    path = folder / "libvirt.conf"
    path.write_text(text)
    path.chmod(0o644)
    return path
