"""Daemons that want a password: users of cyrus-sasl, and which mechanisms are offered.

Responsible for the files that libvirtd and the library below it read. It must not know who logs in.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.cyrus import add_user
from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.roots import root_of

__all__ = ["auth_file", "sasl_daemon", "users"]


def users(folder: Path, passwords: Mapping[str, str]) -> Path:
    """Make a database of users with their passwords; return its file."""
    database = folder / "users.db"
    for name, password in passwords.items():
        # The realm that libvirtd looks in is its host's name.
        add_user(database, name, password, socket.gethostname())
    return database


def sasl_daemon(
    folder: Path, database: Path, mechanisms: Sequence[str], **settings: Setting
) -> PrivateDaemon:
    """Return a daemon of libvirt 9.0.0, not started, that wants SASL on every road.

    ``folder`` is one of its own, for the library's configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"mech_list: {' '.join(mechanisms)}", f"sasldb_path: {database}", "")
    (folder / "libvirt.conf").write_text("\n".join(lines))
    asked: dict[str, Setting] = {f"auth_{road}": "sasl" for road in ("unix_rw", "tcp", "tls")}
    return PrivateDaemon(
        root=root_of("9.0.0"),
        settings={**settings, **asked},
        listen=bool(settings.get("listen_tcp") or settings.get("listen_tls")),
        environment={"SASL_CONF_PATH": str(folder)},
    )


def auth_file(path: Path, host: str, **values: str) -> Path:
    """Write an auth.conf with what one host's daemon is told; return its path."""
    lines = ["[credentials-lab]", *(f"{key}={value}" for key, value in values.items())]
    path.write_text("\n".join([*lines, f"[auth-libvirt-{host}]", "credentials=lab", ""]))
    return path
