"""Which certificates are accepted: by this client and by libvirt's own, for every kind there is.

A daemon of OpenSSL's shows what the client thought of it: one that accepts goes on to speak.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential.tls_cases import CASES, Case, hosts, lay_out
from virtproto.errors import CertificateError
from virtproto.model.endpoint import TlsEndpoint
from virtproto.transport.tls.handshake import shake_hands
from virtproto.transport.tls.layer import TlsLayer

pytestmark = pytest.mark.lab

_WAIT_S = 20.0

# Newer releases of libvirt than the lab's own client do not ask this of keys that cannot do it.
_DIFFERING = {
    "daemon's: ec usage digital_signature True",
    "client's: ec usage digital_signature True",
}

# Refused here; by GnuTLS from its security releases of 2026 on, which not every machine has.
_REFUSED_OF_LATE = "localhost by CN ('localhost',) ('uri:https://example.org/',)"

_PROGRAM = """
import sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
for line in sys.stdin:
    try:
        libvirt.open(line.strip())
    except libvirt.libvirtError:
        pass
    print("done", flush=True)
"""


class _Daemon:
    """What answers one client: TLS, the byte that accepts it, and an ear for what comes then."""

    def __init__(self, certificates: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.num_tickets = 0  # libvirt's client reads them as if the daemon had nothing to say
        context.load_cert_chain(certificates)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_WAIT_S)
        self.port: int = self._listener.getsockname()[1]
        self._was_spoken_to = False
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> _Daemon:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.accepted()
        self._listener.close()

    def accepted(self) -> bool:
        """Tell whether the client, which is done, went on to speak."""
        # One that found fault before it connected did not come.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        return self._was_spoken_to

    def _serve(self) -> None:
        try:
            sock, _ = self._listener.accept()
            sock.settimeout(_WAIT_S)
            with self._context.wrap_socket(sock, server_side=True) as session:
                session.sendall(b"\1")
                self._was_spoken_to = bool(session.recv(1))
        except OSError:
            return


@pytest.fixture(scope="module")
def their_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """libvirt's own client, which opens a URI for each line, and knows the hosts of the cases."""
    names = tmp_path_factory.mktemp("hosts") / "hosts"
    names.write_text(hosts())
    shell = 'mount --bind "$0" /etc/hosts && exec /usr/bin/python3 -IEc "$1"'
    become = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *become, "--mount", "sh", "-c", shell, str(names), _PROGRAM]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _theirs(client: subprocess.Popen[str], uri: str) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{uri}\n")
    client.stdin.flush()
    assert client.stdout.readline() == "done\n"


def _ours(endpoint: TlsEndpoint) -> tuple[TlsLayer, int]:
    conversation = shake_hands(endpoint)
    with socket.create_connection(("127.0.0.1", endpoint.port), _WAIT_S) as sock:
        sent = next(conversation)
        while True:
            sock.sendall(sent)
            try:
                sent = conversation.send(sock.recv(65536))
            except StopIteration as done:
                agreed: tuple[TlsLayer, int] = done.value
                sock.sendall(agreed[0].wrap(b"hello"))
                return agreed


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_verdict_is_libvirts(
    case: Case, their_client: subprocess.Popen[str], tmp_path: Path
) -> None:
    certificates, pkipath = lay_out(case, tmp_path / "pki")
    with _Daemon(certificates) as daemon:
        address = f"{case.host}:{daemon.port}"
        _theirs(their_client, f"test+tls://{address}/default?pkipath={pkipath}{case.query}")
        theirs = daemon.accepted()
    with _Daemon(certificates) as daemon:
        endpoint = TlsEndpoint(
            case.host,
            daemon.port,
            pkipath=str(pkipath),
            verify="no_verify" not in case.query,
            check_files="no_sanity" not in case.query,
        )
        fault = None
        try:
            _ours(endpoint)
        except CertificateError as error:
            fault = str(error)
        ours = daemon.accepted()
    assert ours == (fault is None)
    if case.name == _REFUSED_OF_LATE:
        assert not ours
    else:
        assert ours == (theirs or case.name in _DIFFERING), fault
    if fault is not None:
        _assert_helpful(fault, pkipath, endpoint)


def _assert_helpful(fault: str, pkipath: Path, endpoint: TlsEndpoint) -> None:
    """Each message says whose certificate it is, which field, and after a ; what to do."""
    assert str(pkipath) in fault or endpoint.name in fault
    assert ";" in fault
    fields = ("notAfter", "notBefore", "basicConstraints", "keyUsage", "extendedKeyUsage")
    others = ("issuer", "subjectAltName", "serialNumber", "nameConstraints", "extension")
    assert any(f": {field}" in fault for field in (*fields, *others)), fault


def test_cases_are_many_and_distinct() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 150
