"""Whether a certificate is that of a host.

Responsible for the rules by which GnuTLS, and with it libvirt's client, compares names and
addresses. Must not know how the certificate came here, or whether anything else in it is right.
"""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virtproto.transport.tls.certificate import extension

__all__ = ["is_for", "names_of", "serves"]

# RFC 4985: the name of a service in DNS.
_SRV_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")


def is_for(certificate: x509.Certificate, host: str) -> bool:
    """Tell whether ``certificate`` is that of ``host``, a name or an address.

    An address has to be among the IP addresses of subjectAltName; a name among its DNS names, or,
    only where it has neither, nor names of services, the one common name. ValueError if the fields
    cannot be read. Source: gnutls_x509_crt_check_hostname, of the releases from 2026 on: earlier
    ones went by the common name of who has a URI or SRV name, too.
    """
    names = extension(certificate, x509.SubjectAlternativeName)
    address = _address(host)
    if address is not None:
        if names is None:
            return False
        return address in names.value.get_values_for_type(x509.IPAddress)
    wanted = _ascii(host)
    if names is not None:
        dns = names.value.get_values_for_type(x509.DNSName)
        if any(_matches(name, wanted) for name in dns):
            return True
        if dns or any(map(_stands_for_others, names.value)):
            return False
    if not serves(certificate):
        return False
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return len(common) == 1 and _matches(str(common[0].value), wanted)


def names_of(certificate: x509.Certificate) -> str:
    """Return the names that a certificate is for, for messages; "nothing" for none."""
    names = extension(certificate, x509.SubjectAlternativeName)
    found: list[str] = []
    if names is not None:
        found += names.value.get_values_for_type(x509.DNSName)
        found += [str(each) for each in names.value.get_values_for_type(x509.IPAddress)]
    if not found:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found += [str(each.value) for each in common]
    return ", ".join(found) or "nothing"


def _stands_for_others(name: x509.GeneralName) -> bool:
    """Tell whether a name says what a certificate is for, so that its common name does not."""
    if isinstance(name, x509.OtherName):
        return name.type_id == _SRV_NAME
    return isinstance(name, x509.IPAddress | x509.UniformResourceIdentifier)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _ascii(host: str) -> str:
    try:
        return host.encode("ascii").decode()
    except UnicodeEncodeError:
        pass
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def serves(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may be a server's, so that its common name can be a host's."""
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is None:
        return True
    allowed = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    return any(purpose in allowed for purpose in purposes.value)


def _matches(pattern: str, host: str) -> bool:
    """Tell whether a name in a certificate, which may begin with *, is the host's."""
    pattern, host = pattern.lower(), host.lower()
    if "\0" in pattern or not pattern.isascii():
        return False
    if not pattern.startswith("*"):
        return pattern == host
    # The star stands for one label, or a part of it, of a name with two more labels at least.
    tail = pattern[1:]
    if tail.count(".") < 2 or tail.endswith("."):
        return False
    first, _, rest = host.partition(".")
    label, _, below = tail.partition(".")
    return rest == below and first.endswith(label)
