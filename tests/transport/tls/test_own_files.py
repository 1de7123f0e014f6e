"""This side's own files: what is said of each that cannot be used."""

from __future__ import annotations

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.lab.pki import Lab
from tests.transport.tls.peer import Peer
from virtproto.errors import CertificateError
from virtproto.model.endpoint import TlsEndpoint
from virtproto.transport.tls.handshake import shake_hands


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Path:
    """A good client's folder, to be spoilt."""
    for file in lab.client("good").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def said(folder: Path, *, looks: bool = True) -> str:
    with pytest.raises(CertificateError) as caught:
        shake_hands(TlsEndpoint("localhost", 1, pkipath=str(folder), check_files=looks))
    return str(caught.value)


@pytest.mark.parametrize("looks", [True, False])
def test_a_ca_that_is_not_there(own: Path, looks: bool) -> None:
    (own / "cacert.pem").unlink()
    assert said(own, looks=looks).startswith(f"CA certificate {own}/cacert.pem: there is no such")


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize(
    ("name", "what", "missing"),
    [
        ("cacert", "CA certificate", "no certificate in PEM"),
        ("clientcert", "client certificate", "no certificate in PEM"),
        ("clientkey", "client key", "no private key in PEM"),
        ("cacrl", "revocation list", "no list in PEM"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\0\n"])
def test_files_of_nonsense(
    own: Path, name: str, what: str, missing: str, content: bytes, looks: bool
) -> None:
    (own / f"{name}.pem").write_bytes(content)
    fault = said(own, looks=looks)
    assert fault.startswith(f"{what} {own}/{name}.pem: it holds {missing}")


def test_a_damaged_certificate(own: Path) -> None:
    path = own / "clientcert.pem"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[4:]))
    assert "holds no certificate in PEM that can be read" in said(own)


def test_another_certificates_key(own: Path, lab: Lab) -> None:
    (own / "clientkey.pem").write_bytes((lab.client("other") / "clientkey.pem").read_bytes())
    fault = said(own)
    assert f"certificate {own}/clientcert.pem and key {own}/clientkey.pem: they do not" in fault


def test_an_encrypted_key_asks_nobody(own: Path) -> None:
    path = own / "clientkey.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"passphrase")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, pkcs8, secret))
    assert f"client key {path}: it is encrypted" in said(own)


def test_files_that_are_too_large(own: Path, lab: Lab) -> None:
    for name in ("cacert.pem", "clientcert.pem"):
        whole = (own / name).read_bytes()
        (own / name).write_bytes(whole + b"\n" * 65_536)
        assert f"{own}/{name}: it has more than 65536 bytes" in said(own)
        (own / name).write_bytes(whole + b"\n" * (65_536 - len(whole)))
        shake_hands(TlsEndpoint("localhost", 1, pkipath=str(own)))
    # Who does not look does not count.
    (own / "cacert.pem").write_bytes((own / "cacert.pem").read_bytes() + b"\n")
    shake_hands(TlsEndpoint("localhost", 1, pkipath=str(own), check_files=False))


def test_too_many_cas(own: Path) -> None:
    one = (own / "cacert.pem").read_bytes()
    (own / "cacert.pem").write_bytes(one * 16)
    shake_hands(TlsEndpoint("localhost", 1, pkipath=str(own)))
    (own / "cacert.pem").write_bytes(one * 17)
    assert f"{own}/cacert.pem: it holds 17 certificates, and libvirt takes 16" in said(own)
    shake_hands(TlsEndpoint("localhost", 1, pkipath=str(own), check_files=False))


def test_each_ca_is_looked_at(own: Path, lab: Lab) -> None:
    not_a_ca = (lab.client("good") / "clientcert.pem").read_bytes()
    (own / "cacert.pem").write_bytes((own / "cacert.pem").read_bytes() + not_a_ca)
    fault = said(own)
    assert f"CA certificate {own}/cacert.pem (number 2 in it): basicConstraints: they say" in fault


def test_certificate_or_key_alone_is_as_none(own: Path, lab: Lab) -> None:
    for name in ("clientkey.pem", "clientcert.pem"):
        (own / name).unlink()
        peer = Peer(lab.folder / "server", says=None)
        with pytest.raises(CertificateError, match="refused this client, which has no cert"):
            peer.shake(TlsEndpoint("localhost", 1, pkipath=str(own)))


@pytest.mark.parametrize("name", ["cacert", "clientcert", "clientkey"])
def test_files_that_may_not_be_read(own: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the system is made to say otherwise.
    path = str(own / f"{name}.pem")
    real_open, real_access = builtins.open, os.access

    def locked_open(file: Any, *arguments: Any, **options: Any) -> Any:
        if file == path:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", locked_open)
    monkeypatch.setattr(os, "access", lambda file, mode: file != path and real_access(file, mode))
    assert f"{path}: user {os.geteuid()} may not read it" in said(own)
