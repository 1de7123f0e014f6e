"""What a certificate has to say of itself for libvirt to use or accept it.

Responsible for the rules, field by field, with libvirt's exceptions to them, and for the checks of
this side's own files before they are used. Must not know who signed what beyond asking ``chain``.
"""

from __future__ import annotations

import os

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from virtproto.errors import CertificateError
from virtproto.transport.tls.certificate import (
    CA_AT_MOST,
    Fault,
    date_fault,
    extension,
    is_ca,
    read_certificates,
)
from virtproto.transport.tls.chain import Trust, verify_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, TypeAlias

    from virtproto.transport.tls.files import TlsFiles

    Role: TypeAlias = Literal["CA", "client", "server"]

__all__ = ["check", "check_own_files", "faults_of", "read_trusted", "unreadable"]

_PURPOSES = {
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
}
_PURPOSE_NAMES = {"client": "clientAuth", "server": "serverAuth"}
# Keys that cannot encipher anything: newer releases of libvirt do not ask it of them.
_SIGNING_ONLY = (ec.EllipticCurvePublicKey, x25519.X25519PublicKey, x448.X448PublicKey)


def check(
    certificate: x509.Certificate, role: Role, label: str, *, dates_only: bool = False
) -> None:
    """Raise CertificateError, beginning with ``label``, for what libvirt refuses."""
    try:
        for fault in _dates(certificate) if dates_only else faults_of(certificate, role):
            if fault.is_fatal:
                raise CertificateError(f"{label}: {fault}")
    except ValueError as error:
        raise unreadable(label, error) from None


def unreadable(label: str, error: ValueError) -> CertificateError:
    """Return the error for a certificate whose fields break the rules of their encoding."""
    return CertificateError(f"{label}: its fields cannot be read ({error}); have a new one made")


def faults_of(certificate: x509.Certificate, role: Role) -> Iterator[Fault]:
    """Yield what is wrong with a certificate in its role, in the order in which libvirt looks.

    ValueError for one whose extensions cannot be read. Source: virNetTLSCertCheck.
    """
    yield from _dates(certificate)
    yield from _constraints(certificate, role)
    yield from _usage(certificate, role)
    if role != "CA":
        yield from _purpose(certificate, role)


def _dates(certificate: x509.Certificate) -> Iterator[Fault]:
    fault = date_fault(certificate)
    if fault is not None:
        yield fault


def _constraints(certificate: x509.Certificate, role: Role) -> Iterator[Fault]:
    says_ca = is_ca(certificate)
    if role == "CA":
        if says_ca is None:
            text = "it is missing, so that this is no CA's certificate"
            yield Fault("basicConstraints", text, "have one made with CA:TRUE")
        elif not says_ca:
            text = "they say that this is no CA's certificate"
            yield Fault("basicConstraints", text, "put the certificate of the CA into this file")
    elif says_ca:
        text = f"they say that this is a CA's certificate, not a {role}'s"
        yield Fault("basicConstraints", text, f"have one for a {role} made (CA:FALSE)")


def _usage(certificate: x509.Certificate, role: Role) -> Iterator[Fault]:
    usage = extension(certificate, x509.KeyUsage)
    if usage is None:
        return
    missing = []
    if role == "CA":
        if not usage.value.key_cert_sign:
            missing.append("keyCertSign")
    else:
        if not usage.value.digital_signature:
            missing.append("digitalSignature")
        if not usage.value.key_encipherment and not _signs_only(certificate):
            missing.append("keyEncipherment")
    for name in missing:
        text = f"it does not allow {name}"
        remedy = f"have one made with {name}"
        yield Fault("keyUsage", text, remedy, is_fatal=usage.critical)


def _signs_only(certificate: x509.Certificate) -> bool:
    try:
        return isinstance(certificate.public_key(), _SIGNING_ONLY)
    except Exception:
        # A kind of key that is unknown here; what it can do is not for this check to say.
        return False


def _purpose(certificate: x509.Certificate, role: Role) -> Iterator[Fault]:
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is None:
        return
    known = (*_PURPOSES.values(), ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    for purpose in purposes.value:
        # As libvirt has it: a purpose that it does not know allows both, and "any" allows neither.
        if purpose == _PURPOSES[role] or purpose not in known:
            return
    name = _PURPOSE_NAMES[role]
    text = f"it does not allow use as a {role} ({name})"
    remedy = f"have one made with {name}"
    yield Fault("extendedKeyUsage", text, remedy, is_fatal=purposes.critical)


def read_trusted(path: str) -> list[x509.Certificate]:
    """Return the certificates of a CA's file, as many as libvirt takes; else CertificateError."""
    trusted = read_certificates(path, "CA certificate")
    if len(trusted) > CA_AT_MOST:
        raise CertificateError(
            f"CA certificate {path}: it holds {len(trusted)} certificates, and libvirt takes"
            f" {CA_AT_MOST} at most; keep those of the CAs that are needed"
        )
    return trusted


def check_own_files(files: TlsFiles) -> list[x509.Certificate]:
    """Look at this side's files before they are used, as libvirt's client does.

    Returns the certificates that were found to be good. Raises CertificateError for what libvirt
    would refuse: the certificate and each CA by themselves, and whether a CA signed the
    certificate. Files that may not be read are left to those who use them.
    Source: virNetTLSCertSanityCheck.
    """
    own = None
    if files.certificate is not None and os.access(files.certificate, os.R_OK):
        label = f"client certificate {files.certificate}"
        own = read_certificates(files.certificate, "client certificate")[0]
    trusted = read_trusted(files.ca) if os.access(files.ca, os.R_OK) else []
    if own is not None:
        check(own, "client", label)
    for index, each in enumerate(trusted):
        which = f" (number {index + 1} in it)" if len(trusted) > 1 else ""
        check(each, "CA", f"CA certificate {files.ca}{which}")
    if own is not None and trusted:
        verify_chain([own], Trust(trusted, files.ca), label)
    return trusted if own is None else [own, *trusted]
