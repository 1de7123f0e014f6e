"""Certificates that libvirt accepts: a CA, servers, clients, and the list of those revoked.

Responsible for what stands in them, and for their files. Must not know the command line.
"""

from __future__ import annotations

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virtproto.errors import CertificateError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, TypeAlias

    Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    KeyKind: TypeAlias = Literal["rsa", "ec"]
    Role: TypeAlias = Literal["client", "server"]

__all__ = [
    "NAME_AT_MOST",
    "Authority",
    "Pair",
    "alternative_name",
    "check_name",
    "issue",
    "make_authority",
    "make_list",
    "pem",
    "read_authority",
    "write_file",
    "write_pair",
]

_RSA_BITS = 3072
NAME_AT_MOST = 64
# Clocks differ: what is made here has to be valid already where it is used.
_LEEWAY = datetime.timedelta(hours=1)
_PURPOSES = {
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
}


class Pair:
    """A certificate and the key that it was made for."""

    __slots__ = ("certificate", "key")

    def __init__(self, certificate: x509.Certificate, key: Key) -> None:
        self.certificate = certificate
        self.key = key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.certificate.subject.rfc4514_string()}>"


class Authority(Pair):
    """A CA: its certificate and the key that it signs with."""


def make_authority(name: str, *, organization: str, days: int, kind: KeyKind = "rsa") -> Authority:
    """Return a new CA, valid for ``days`` from now."""
    key = _new_key(kind)
    subject = _subject(name, organization)
    usage = _usage(signs_certificates=True)
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = (
        _begun(subject, subject, key, *_validity(days, None))
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority,
    role: Role,
    name: str,
    *,
    organization: str,
    days: int,
    hosts: Sequence[str] = (),
    kind: KeyKind = "rsa",
    since: datetime.datetime | None = None,
) -> Pair:
    """Return a certificate, and its key, for a client or server called ``name``.

    ``hosts`` are the names and addresses that a server is reached by; ``since`` is when it begins
    to be valid, now if None.
    """
    key = _new_key(kind)
    own = authority.certificate
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    purpose = x509.ExtendedKeyUsage([_PURPOSES[role]])
    builder = (
        _begun(_subject(name, organization), own.subject, key, *_validity(days, since))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(issuer, critical=False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([alternative_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def make_list(
    authority: Authority,
    revoked: Sequence[int],
    days: int,
    earlier: x509.CertificateRevocationList | None = None,
) -> x509.CertificateRevocationList:
    """Return a list that revokes these serial numbers, besides those of an ``earlier`` list."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - _LEEWAY)
        .next_update(now + datetime.timedelta(days=days))
    )
    known = {each.serial_number: each for each in earlier or ()}
    for each in known.values():
        builder = builder.add_revoked_certificate(each)
    for serial in revoked:
        if serial not in known:
            entry = x509.RevokedCertificateBuilder(serial, now)
            builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256())


def alternative_name(host: str) -> x509.GeneralName:
    """Return a host as a certificate has it; UsageError for what is neither name nor address."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        if any(each.isspace() or each == "/" for each in host):
            raise ValueError
        return x509.DNSName(host if host.isascii() else host.encode("idna").decode())
    except (UnicodeError, ValueError):
        raise UsageError(f"host {host!r}: this is neither a name nor an address") from None


def _new_key(kind: KeyKind) -> Key:
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def check_name(what: str, text: str) -> None:
    """Raise UsageError, naming ``what``, for a text that cannot be a part of a name."""
    # X.520 allows no more, and some peers take no certificate that has more.
    if not 1 <= len(text) <= NAME_AT_MOST:
        raise UsageError(f"{what} {text!r}: expected 1 to {NAME_AT_MOST} characters")


def _subject(name: str, organization: str) -> x509.Name:
    check_name("name", name)
    check_name("organization", organization)
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _validity(
    days: int, since: datetime.datetime | None
) -> tuple[datetime.datetime, datetime.datetime]:
    begin = datetime.datetime.now(datetime.UTC) - _LEEWAY if since is None else since
    try:
        return begin, begin + datetime.timedelta(days=days)
    except OverflowError:
        raise UsageError(f"days {days}: there is no such time") from None


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    since: datetime.datetime,
    until: datetime.datetime,
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    # Every release of libvirt up to 9 wants encipherment even of a key that only signs.
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def pem(what: x509.Certificate | x509.CertificateRevocationList | Key) -> bytes:
    """Return a certificate, list or key as its file holds it."""
    if isinstance(what, x509.Certificate | x509.CertificateRevocationList):
        return what.public_bytes(serialization.Encoding.PEM)
    return what.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_file(path: str, content: bytes, *, secret: bool = False) -> None:
    """Write a file, in place of one that may be there, so that it is whole or not there at all.

    Nobody but its owner can ever read a ``secret`` one.
    """
    scratch = f"{path}.part-{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(scratch, flags, 0o600 if secret else 0o644)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def write_pair(folder: str, role: str, pair: Pair, authority: Authority) -> None:
    """Write a certificate, its key and the CA's certificate into ``folder``, as pkipath= has it."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    write_file(f"{folder}/{role}key.pem", pem(pair.key), secret=True)
    write_file(f"{folder}/{role}cert.pem", pem(pair.certificate))
    write_file(f"{folder}/cacert.pem", pem(authority.certificate))


def read_authority(certificate_path: str, key_path: str) -> Authority:
    """Return the CA that these two files hold; CertificateError says what is wrong with them."""
    from virtproto.transport.tls.certificate import read_certificates, read_pem

    certificate = read_certificates(certificate_path, "CA certificate")[0]
    try:
        key = serialization.load_pem_private_key(read_pem(key_path, "CA key"), None)
    except TypeError:
        raise CertificateError(
            f"CA key {key_path}: it is encrypted; write it without a passphrase, readable by its"
            " user alone"
        ) from None
    except ValueError:
        raise CertificateError(f"CA key {key_path}: it holds no private key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CertificateError(f"CA key {key_path}: only RSA and elliptic curves are known here")
    if key.public_key() != certificate.public_key():
        raise CertificateError(
            f"CA key {key_path}: it is not the one of the certificate in {certificate_path}"
        )
    return Authority(certificate, key)
