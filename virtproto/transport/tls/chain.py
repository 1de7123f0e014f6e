"""From a certificate to a CA that is trusted, or the reason why there is no way.

Responsible for who signed what, which of those may sign, revocation, and algorithms that prove
nothing. Must not know names of hosts, or what a certificate is for.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from virtproto.errors import CertificateError
from virtproto.transport.tls.certificate import (
    date_fault,
    distinguished_name,
    extension,
    extensions,
    is_ca,
)
from virtproto.transport.tls.constraints import forbidden_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOW", "Strength", "Trust", "verify_chain"]

# Signatures by these can be forged.
_BROKEN_HASHES = (hashes.MD5, hashes.SHA1)
# More than anybody has; what a peer sends must not make this side search for long.
_LONGEST = 16

# Extensions of a certificate that are heeded here or bind nobody here. Another one that is marked
# critical means that the certificate must not be used by whoever does not know it.
_KNOWN = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.IssuerAlternativeName.oid,
    x509.AuthorityKeyIdentifier.oid,
    x509.SubjectKeyIdentifier.oid,
    x509.NameConstraints.oid,
    x509.CertificatePolicies.oid,
    x509.CRLDistributionPoints.oid,
    x509.FreshestCRL.oid,
    x509.AuthorityInformationAccess.oid,
    x509.SubjectInformationAccess.oid,
    x509.TLSFeature.oid,
}


class Strength:
    """How large keys have to be, in bits: of RSA and DSA, and of elliptic curves."""

    __slots__ = ("curve", "modulus", "name")

    def __init__(self, name: str, modulus: int, curve: int) -> None:
        self.name = name
        self.modulus = modulus
        self.curve = curve


# What GnuTLS asks for unless a priority string says otherwise.
LOW = Strength("LOW", 1024, 160)


class Trust:
    """Whom to trust: the CAs of the file ``path``, but for what their lists revoke."""

    __slots__ = ("certificates", "lists", "lists_path", "path")

    def __init__(
        self,
        certificates: Sequence[x509.Certificate],
        path: str,
        lists: Sequence[x509.CertificateRevocationList] = (),
        lists_path: str | None = None,
    ) -> None:
        self.certificates = certificates
        self.path = path
        self.lists = lists
        self.lists_path = lists_path


def verify_chain(
    chain: Sequence[x509.Certificate], trust: Trust, label: str, strength: Strength = LOW
) -> None:
    """Raise CertificateError, beginning with ``label``, unless ``chain`` leads to a trusted CA.

    The first certificate is the one that matters, the others may help to find the way. Each on it
    has to be valid today, unrevoked, and signed by one that may sign.
    """
    try:
        way = _find_way(chain[0], chain[1:_LONGEST], trust.certificates)
        if way is None:
            raise CertificateError(f"{label}: {_no_way(chain, trust)}")
        for place, certificate in enumerate(way):
            below = f"{label}: " if place == 0 else f"{label}: signed by {_named(certificate)}: "
            _check_member(certificate, below, strength)
            if place > 0:
                _check_signer(certificate, place - 1, below)
                _check_names(way[0], certificate, below)
            if place + 1 < len(way):
                _check_signature(certificate, below)
                _check_revocation(certificate, way[place + 1], trust, below)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{label}: the certificates that lead to its CA cannot be read ({error});"
            " have new ones made"
        ) from None


def _find_way(
    certificate: x509.Certificate,
    helping: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
) -> list[x509.Certificate] | None:
    """Return the certificates from this one to a trusted one, None where there is no way.

    It is one of the shortest, and each certificate is looked at once, whoever signed whom.
    """
    if certificate in trusted:
        return [certificate]
    ways = [[certificate]]
    left = [each for each in helping if each != certificate]
    for way in ways:
        for issuer in trusted:
            if _signed(way[-1], issuer):
                return [*way, issuer]
        found = [each for each in left if _signed(way[-1], each)]
        left = [each for each in left if each not in found]
        ways += [[*way, each] for each in found]
    return None


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _no_way(chain: Sequence[x509.Certificate], trust: Trust) -> str:
    last = chain[0]
    for each in chain[1:]:
        if _signed(last, each):
            last = each
    wanted = distinguished_name(last.issuer)
    if any(each.subject == last.issuer for each in trust.certificates):
        # Whoever signed it, a signature of that kind is not looked at.
        if (fault := _forgeable(last)) is not None:
            return fault
        return (
            f"issuer: it says {wanted}, but the CA of that name in {trust.path} did not sign it;"
            " one side has an older or another CA: give both the same"
        )
    known = "; ".join(distinguished_name(each.subject) for each in trust.certificates)
    return (
        f"issuer: it was signed by {wanted}, which is not among the CAs of {trust.path} ({known});"
        " add that CA's certificate there if it is to be trusted"
    )


def _named(certificate: x509.Certificate) -> str:
    return distinguished_name(certificate.subject)


def _check_member(certificate: x509.Certificate, below: str, strength: Strength) -> None:
    fault = date_fault(certificate)
    if fault is not None:
        raise CertificateError(f"{below}{fault}")
    for each in extensions(certificate):
        if each.critical and each.oid not in _KNOWN:
            raise CertificateError(
                f"{below}extension {each.oid.dotted_string}: it is critical and not understood"
                " here; have one made without it"
            )
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        wanted = strength.modulus
    elif isinstance(key, ec.EllipticCurvePublicKey):
        wanted = strength.curve
    else:
        return
    if key.key_size < wanted:
        raise CertificateError(
            f"{below}subjectPublicKey: {key.key_size} bits are too few, {wanted} are asked for;"
            " have one made for a longer key"
        )


def _check_signer(signer: x509.Certificate, signers_below: int, below: str) -> None:
    """Refuse one that signs but must not; ``signers_below`` CAs are between it and the first."""
    # The oldest version of certificates has no such field, and a trusted one needs none.
    says_ca = is_ca(signer)
    if says_ca is False or (says_ca is None and signer.version is not x509.Version.v1):
        raise CertificateError(
            f"{below}basicConstraints: they do not say that it is a CA, so it must not sign;"
            " have the CA's certificate made anew, or the other one signed by a CA"
        )
    usage = extension(signer, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        raise CertificateError(
            f"{below}keyUsage: it does not allow keyCertSign, so it must not sign; have the CA's"
            " certificate made anew"
        )
    constraints = extension(signer, x509.BasicConstraints)
    longest = None if constraints is None else constraints.value.path_length
    if longest is not None and signers_below > longest:
        raise CertificateError(
            f"{below}basicConstraints: it allows {longest} CAs below it, and there are"
            f" {signers_below}; have the chain of CAs made shorter"
        )


def _check_names(first: x509.Certificate, signer: x509.Certificate, below: str) -> None:
    constraints = extension(signer, x509.NameConstraints)
    name = None if constraints is None else forbidden_name(first, constraints.value)
    if name is not None:
        raise CertificateError(
            f"{below}nameConstraints: it must not sign for {name}; have the certificate made for"
            " another name, or signed by another CA"
        )


def _check_signature(certificate: x509.Certificate, below: str) -> None:
    if (fault := _forgeable(certificate)) is not None:
        raise CertificateError(f"{below}{fault}")


def _forgeable(certificate: x509.Certificate) -> str | None:
    """Return what is wrong with the algorithm of a signature, None for nothing."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        name = certificate.signature_algorithm_oid.dotted_string
        return f"signatureAlgorithm: {name} is not known here; have it signed anew with SHA-256"
    if isinstance(algorithm, _BROKEN_HASHES):
        name = algorithm.name
        return f"signatureAlgorithm: {name} can be forged; have it signed anew with SHA-256"
    return None


def _check_revocation(
    certificate: x509.Certificate, issuer: x509.Certificate, trust: Trust, below: str
) -> None:
    for each in trust.lists:
        if each.issuer != certificate.issuer:
            continue
        if each.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise CertificateError(
                f"{below}serialNumber {certificate.serial_number:x}: {trust.lists_path} says that"
                " its CA revoked it; have a new one made"
            )
