"""Certificates and revocation lists as they are read from files, and what to call them.

Responsible for files that cannot be read or hold something else, and for names as people and
libvirt's settings write them. Must not know what makes a certificate good.
"""

from __future__ import annotations

import datetime
import os

from cryptography import x509

from virtproto.errors import CertificateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _Extension = TypeVar("_Extension", bound=x509.ExtensionType)

__all__ = [
    "CA_AT_MOST",
    "SIZE_AT_MOST",
    "Fault",
    "date_fault",
    "distinguished_name",
    "extension",
    "extensions",
    "from_der",
    "is_ca",
    "read_certificates",
    "read_lists",
    "read_pem",
]

# What libvirt reads of one file, and of how many certificates of a CA's file.
SIZE_AT_MOST = 1 << 16
CA_AT_MOST = 16

_LIST_BEGIN = b"-----BEGIN X509 CRL-----"
_LIST_END = b"-----END X509 CRL-----"


class Fault:
    """One thing that is wrong with a certificate: the ``field``, what it says, what to do.

    ``is_fatal`` tells whether libvirt refuses the certificate for it; else it only complains in
    its log.
    """

    __slots__ = ("field", "is_fatal", "remedy", "text")

    def __init__(self, field: str, text: str, remedy: str, *, is_fatal: bool = True) -> None:
        self.field = field
        self.text = text
        self.remedy = remedy
        self.is_fatal = is_fatal

    def __str__(self) -> str:
        return f"{self.field}: {self.text}; {self.remedy}"


def read_pem(path: str, what: str, *, size_at_most: int | None = SIZE_AT_MOST) -> bytes:
    """Return what is in the file at ``path``; CertificateError says why it cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read() if size_at_most is None else file.read(size_at_most + 1)
    except FileNotFoundError:
        raise CertificateError(
            f"{what} {path}: there is no such file; put it there (pkipath= in a"
            " URI names another folder)"
        ) from None
    except PermissionError:
        user = os.geteuid()
        raise CertificateError(
            f"{what} {path}: user {user} may not read it; let that user read it, or use another"
        ) from None
    except OSError as error:
        raise CertificateError(f"{what} {path}: cannot be read: {error.strerror}") from None
    if size_at_most is not None and len(content) > size_at_most:
        raise CertificateError(
            f"{what} {path}: it has more than {size_at_most} bytes, which is all that is read of"
            " such a file; keep only what is needed in it"
        )
    return content


def read_certificates(
    path: str, what: str, *, size_at_most: int | None = SIZE_AT_MOST
) -> list[x509.Certificate]:
    """Return the certificates in a PEM file, in order, at least one; else CertificateError."""
    content = read_pem(path, what, size_at_most=size_at_most)
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, x509.InvalidVersion):
        raise CertificateError(
            f"{what} {path}: it holds no certificate in PEM that can be read; it has to have lines"
            " from BEGIN CERTIFICATE to END CERTIFICATE"
        ) from None


def read_lists(path: str) -> list[x509.CertificateRevocationList]:
    """Return the revocation lists in a PEM file, at least one; else CertificateError."""
    what = "revocation list"
    blocks = read_pem(path, what, size_at_most=None).split(_LIST_BEGIN)[1:]
    try:
        lists = [
            x509.load_pem_x509_crl(_LIST_BEGIN + block.partition(_LIST_END)[0] + _LIST_END + b"\n")
            for block in blocks
        ]
    except ValueError:
        lists = []
    if not lists:
        raise CertificateError(
            f"{what} {path}: it holds no list in PEM that can be read; it has to have lines from"
            " BEGIN X509 CRL to END X509 CRL, or not to be there at all"
        )
    return lists


def from_der(certificate: bytes) -> x509.Certificate:
    """Return a certificate that came over the wire; ValueError for what is none."""
    try:
        return x509.load_der_x509_certificate(certificate)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def distinguished_name(name: x509.Name) -> str:
    """Return a name as libvirt compares it with ``tls_allowed_dn_list``: C=GB,O=x,CN=y."""
    return ",".join(part.rfc4514_string() for part in name.rdns)


def extensions(certificate: x509.Certificate) -> x509.Extensions:
    """Return all extensions; ValueError if they cannot be read."""
    try:
        return certificate.extensions
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from None


def extension(
    certificate: x509.Certificate, kind: type[_Extension]
) -> x509.Extension[_Extension] | None:
    """Return an extension, None where there is none; ValueError if they cannot be read."""
    try:
        return extensions(certificate).get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def is_ca(certificate: x509.Certificate) -> bool | None:
    """Tell whether basicConstraints says CA; None where it says nothing."""
    constraints = extension(certificate, x509.BasicConstraints)
    return None if constraints is None else constraints.value.ca


def date_fault(certificate: x509.Certificate) -> Fault | None:
    """Return what is wrong with the dates of a certificate today, None for nothing."""
    now = datetime.datetime.now(datetime.UTC)
    until, since = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if until < now:
        text = f"it expired on {until:%Y-%m-%d %H:%M} UTC"
        return Fault("notAfter", text, "have a new one made")
    if since > now:
        text = f"it is not valid before {since:%Y-%m-%d %H:%M} UTC"
        return Fault("notBefore", text, "see that the clocks of both machines are right, or wait")
    return None
