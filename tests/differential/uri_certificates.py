"""Certificates for TLS hosts and for clients at each place where they look for their own.

Responsible for making them with ``cryptography`` and for the layout of the folders.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["lay_out_certificates"]

_SERVER_NAMES = ("localhost", "box", "twice")
_SERVER_ADDRESSES = ("127.0.0.1", "::1")


@dataclass
class _Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, certificate: Path, key: Path) -> None:
        for path in (certificate, key):
            path.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def lay_out_certificates(place: Path, user_folder: Path) -> None:
    """Write the server's files to ``place``/server, and clients' wherever they may look.

    A client's certificate is called after its place: "system", "user" (of ``user_folder``, the
    folder of that user's own files), "one", "spaced", "expired". Besides there are the folders
    "stranger" (a CA that signed nothing here) and "bare" (a CA alone) below ``place``.
    """
    authority = _made("lab CA", None)
    stranger = _made("another CA", None)
    authority.write(place / "server/cacert.pem", place / "server/cakey.pem")
    _made("server", authority, server=True).write(
        place / "server/servercert.pem", place / "server/serverkey.pem"
    )
    system = Path("/etc/pki")
    authority.write(system / "CA/cacert.pem", place / "server/cakey.pem")
    _made("system", authority).write(
        system / "libvirt/clientcert.pem", system / "libvirt/private/clientkey.pem"
    )
    for name, folder in (("user", user_folder), ("one", place / "one"), ("spaced", place / "a b")):
        _write_folder(folder, authority, _made(name, authority))
    _write_folder(place / "expired", authority, _made("expired", authority, days=-2))
    _write_folder(place / "stranger", stranger, None)
    _write_folder(place / "bare", authority, None)
    _make_readable(place, user_folder, system)


def _write_folder(folder: Path, authority: _Pair, client: _Pair | None) -> None:
    authority.write(folder / "cacert.pem", folder / "cakey.pem")
    if client:
        client.write(folder / "clientcert.pem", folder / "clientkey.pem")


def _make_readable(*folders: Path) -> None:
    for folder in folders:
        for root, _, names in os.walk(folder):
            os.chmod(root, 0o755)
            for name in names:
                os.chmod(Path(root, name), 0o644)


def _made(name: str, issuer: _Pair | None, *, server: bool = False, days: int = 30) -> _Pair:
    """Return a certificate for ``name`` that ends in ``days``; its own issuer makes it a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(_usage(ca=issuer is None), critical=True)
    )
    if issuer:
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if server:
        names = [x509.DNSName(text) for text in _SERVER_NAMES]
        addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in _SERVER_ADDRESSES]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([*names, *addresses]), critical=False
        )
    return _Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        # Older libvirt asks for it of elliptic keys as well.
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
