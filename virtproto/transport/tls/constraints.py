"""Names that a CA may not vouch for: its nameConstraints, held against a certificate.

Responsible for DNS names and IP addresses, the only ones that TLS with a daemon goes by. Must not
know how one found the CA, or which of the names is wanted.
"""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.x509.oid import NameOID

from virtproto.transport.tls.certificate import extension
from virtproto.transport.tls.hostname import serves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["forbidden_name"]

_UNDERSTOOD = (x509.DNSName, x509.IPAddress)


def forbidden_name(certificate: x509.Certificate, constraints: x509.NameConstraints) -> str | None:
    """Return a name of ``certificate`` that a CA with these constraints must not sign for.

    None where there is none. Constraints for names of kinds that are not understood here forbid
    every certificate that has, or may have, such a name. ValueError for fields that cannot be read.
    """
    permitted = list(constraints.permitted_subtrees or ())
    excluded = list(constraints.excluded_subtrees or ())
    names = _names(certificate)
    for rule in (*permitted, *excluded):
        if isinstance(rule, x509.DirectoryName):
            return certificate.subject.rfc4514_string()
        if not isinstance(rule, _UNDERSTOOD) and any(type(name) is type(rule) for name in names):
            return f"one of kind {type(rule).__name__}"
    for name in names:
        same_kind = [rule for rule in permitted if type(rule) is type(name)]
        if any(_covers(rule, name) for rule in excluded) or (
            same_kind and not any(_covers(rule, name) for rule in same_kind)
        ):
            return str(name.value)
    return None


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    alternatives = extension(certificate, x509.SubjectAlternativeName)
    names: Iterable[x509.GeneralName] = () if alternatives is None else alternatives.value
    found = list(names)
    if not any(isinstance(name, x509.DNSName) for name in found) and serves(certificate):
        # Where there is no other name of a host, the common name is taken for one.
        parts = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found += [x509.DNSName(str(part.value)) for part in parts]
    return found


def _covers(rule: x509.GeneralName, name: x509.GeneralName) -> bool:
    if isinstance(rule, x509.DNSName) and isinstance(name, x509.DNSName):
        suffix, own = rule.value.lower(), name.value.lower()
        if suffix.startswith("."):
            # What is below it, and not the name itself.
            return own.endswith(suffix)
        return not suffix or own == suffix or own.endswith(f".{suffix}")
    if isinstance(rule, x509.IPAddress) and isinstance(name, x509.IPAddress):
        network, address = rule.value, name.value
        if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
            return False
        return (
            isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
            and address in network
        )
    return False
