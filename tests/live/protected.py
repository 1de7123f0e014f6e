"""A daemon that lets people in by a password's digest or by a ticket, on every kind of road.

Responsible for the daemon, its users, its realm and its certificates, and for what the C client
makes of it. Must not know what is tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.cyrus import add_user
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.kdc import Kdc
from tests.lab.pki import Lab
from tests.lab.ports import free_port

__all__ = ["AUTH_FAILED", "PASSWORD", "USER", "Protected", "c_client", "protected_daemon"]

USER = "fred"
PASSWORD = "geheim-7f3a"
AUTH_FAILED = 45

_LOGINS = {"good": (USER, PASSWORD), "wrong": (USER, "wrong"), "unknown": ("nobody", PASSWORD)}

_C_CLIENT = """
import json, libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
try:
    connection = libvirt.openAuth(sys.argv[1], [kinds, lambda *_: -1, None], 0)
except libvirt.libvirtError as error:
    print(json.dumps({"code": error.get_error_code(), "message": error.get_error_message()}))
else:
    told = {"hostname": connection.getHostname(), "is_secure": bool(connection.isSecure())}
    print(json.dumps(told | {"is_encrypted": bool(connection.isEncrypted())}))
"""


@dataclass(frozen=True)
class Protected:
    """The daemon, its two ports, and all that it takes to be let in."""

    daemon: PrivateDaemon
    tcp: int
    tls: int
    kdc: Kdc
    pki: Lab
    folder: Path

    def parameters(self, mechanism: str = "", login: str = "good", more: str = "") -> str:
        """Return the parameters of a URI: who logs in ("good", "wrong", "unknown"), and how."""
        told = [f"authfile={self.folder / login}.conf"]
        if mechanism:
            told.append(f"auth=sasl.{mechanism}")
        return "&".join([*told, *([more] if more else [])])

    def uri(
        self,
        transport: str,
        mechanism: str = "",
        login: str = "good",
        name: str = "test:///default",
        host: str = "localhost",
    ) -> str:
        """Return the URI by which the driver ``name`` is reached over ``transport``."""
        scheme, _, path = name.partition("://")
        place, more = {
            "unix": ("", f"socket={self.daemon.socket_path}"),
            "tcp": (f"{host}:{self.tcp}", ""),
            "tls": (f"{host}:{self.tls}", f"pkipath={self.pki.client('good')}"),
        }[transport]
        return f"{scheme}+{transport}://{place}{path}?{self.parameters(mechanism, login, more)}"


@contextlib.contextmanager
def protected_daemon(mechanisms: str = "digest-md5 gssapi") -> Iterator[Protected]:
    """A daemon that offers ``mechanisms``, and only them, on all its roads."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-", dir="/tmp")))
        folder.chmod(0o755)
        kdc = stack.enter_context(Kdc())
        pki = Lab(folder / "pki")
        _write(folder, mechanisms)
        tcp, tls = free_port(), free_port()
        ports: dict[str, Any] = {"tcp_port": str(tcp), "tls_port": str(tls), "listen_tcp": 1}
        asks = {f"auth_{place}": "sasl" for place in ("tcp", "tls", "unix_rw")}
        environment = kdc.environment | {"SASL_CONF_PATH": str(folder)}
        settings: dict[str, Any] = {**pki.settings(), **ports, **asks}
        daemon = private_daemon("9.0.0", listen=True, environment=environment, **settings)
        stack.enter_context(daemon)
        yield Protected(daemon, tcp, tls, kdc, pki, folder)


def _write(folder: Path, mechanisms: str) -> None:
    users = folder / "users.db"
    add_user(users, USER, PASSWORD, socket.gethostname())
    (folder / "libvirt.conf").write_text(f"mech_list: {mechanisms}\nsasldb_path: {users}\n")
    for login, (name, password) in _LOGINS.items():
        (folder / f"{login}.conf").write_text(
            f"[credentials-it]\nauthname={name}\npassword={password}\n"
            "[auth-libvirt-default]\ncredentials=it\n"
        )


def c_client(uri: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what the C client finds: a connection's properties, or an error's code and message."""
    ended = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", _C_CLIENT, uri],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told: dict[str, Any] = json.loads(ended.stdout)
    return told
